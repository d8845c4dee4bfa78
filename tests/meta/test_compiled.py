"""The compiled card: its list of modules keeps to the source, and it answers as the one in Python does (nightly)."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tools.compiled import BUILT, MODULES, ROOT
from vpicc_bridge.machine import is_compiled


def test_every_module_of_the_list_is_there() -> None:
    assert [module for module in MODULES if not (ROOT / "card" / f"{module}.py").is_file()] == []
    assert len(set(MODULES)) == len(MODULES)


@pytest.mark.nightly
def test_the_unit_tests_of_the_card_pass_against_the_compiled_one() -> None:
    tests = ["-q", "-p", "no:cacheprovider", "tests/unit/card", "tests/golden"]
    subprocess.run([sys.executable, "-m", "tools.compiled", "--test", *tests], cwd=ROOT, check=True)
    assert is_compiled(BUILT / "card")
