"""The compiled card: its list of modules keeps to the source, and it answers as the one in Python does."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.capabilities import program
from tools.compiled import BUILT, MODULES, ROOT
from vpicc_bridge.machine import is_compiled


def build_and_test(*options: str) -> None:
    """Build the compiled card in build/compiled, and run tests there; the options are those of the tool."""
    program("gcc")
    command = [sys.executable, "-m", "tools.compiled", *options, "-q", "-p", "no:cacheprovider"]
    subprocess.run(command, cwd=ROOT, check=True)
    assert is_compiled(BUILT / "card")


def test_every_module_of_the_list_is_there() -> None:
    assert [module for module in MODULES if not (ROOT / "card" / f"{module}.py").is_file()] == []
    assert len(set(MODULES)) == len(MODULES)


def test_the_unit_tests_of_the_card_pass_compiled() -> None:
    build_and_test("--quick", "--test", "tests/unit/card", "tests/golden")


@pytest.mark.nightly
def test_the_whole_suite_passes_against_the_compiled_card() -> None:
    build_and_test("--test", "-n", "auto")
