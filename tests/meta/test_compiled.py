"""The compiled card: its list of modules keeps to the source, and it answers as the one in Python does (nightly)."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tools.compiled import BUILT, MODULES, ROOT


def test_every_module_of_the_list_is_there() -> None:
    assert [module for module in MODULES if not (ROOT / "card" / f"{module}.py").is_file()] == []
    assert len(set(MODULES)) == len(MODULES)


@pytest.mark.nightly
def test_the_unit_tests_of_the_card_pass_against_the_compiled_one() -> None:
    subprocess.run([sys.executable, "-m", "tools.compiled"], cwd=ROOT, check=True)
    there = {**os.environ, "PYTHONPATH": str(BUILT)}
    said = subprocess.run(
        [sys.executable, "-m", "host_tools.cli.main", "--version"],
        cwd=BUILT, env=there, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert "compiled card" in said.stdout
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/unit/card", "tests/golden"]
    subprocess.run(tests, cwd=BUILT, env=there, check=True)
