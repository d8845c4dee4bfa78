"""The compiled card: its list of modules keeps to the source, and it answers as the one in Python does."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.capabilities import program
from tools.compiled import BUILT, MODULES, ROOT
from vpicc_bridge.machine import is_compiled

# What the compiled modules do most, for a quarter of what it costs to build them.
_CORE = (
    "tests/golden", "tests/unit/card/codec/mikey", "tests/unit/card/commands/authenticate",
    "tests/unit/card/domain", "tests/unit/card/state", "tests/unit/card/store",
)  # fmt: skip


def build_and_test(*options: str) -> None:
    """Build the compiled card in build/compiled, and run tests there; the options are those of the tool."""
    program("gcc")
    command = [sys.executable, "-m", "tools.compiled", *options, "-q", "-p", "no:cacheprovider"]
    subprocess.run(command, cwd=ROOT, check=True)
    assert is_compiled(BUILT / "card")


def test_every_module_of_the_list_is_there() -> None:
    assert [module for module in MODULES if not (ROOT / "card" / f"{module}.py").is_file()] == []
    assert len(set(MODULES)) == len(MODULES)


def test_the_core_of_the_card_passes_its_tests_compiled() -> None:
    build_and_test("--quick", "--test", *_CORE)


@pytest.mark.nightly
def test_the_unit_tests_of_the_card_pass_against_the_compiled_one() -> None:
    build_and_test("--test", "tests/unit/card", "tests/golden")
