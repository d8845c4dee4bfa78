"""The compiled card: its list of modules keeps to the source, and it answers as the one in Python does."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import pytest

import card
import host_tools
import vpicc_bridge
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


def test_nothing_interpreted_inherits_from_what_is_compiled() -> None:
    """A compiled class refuses to be made by a class that the interpreter knows alone."""
    compiled = {f"card.{module.replace('/', '.')}" for module in MODULES}
    packages = (card, host_tools, vpicc_bridge)
    names = [one.name for it in packages for one in pkgutil.walk_packages(it.__path__, f"{it.__name__}.")]
    modules = [importlib.import_module(name) for name in names if not name.endswith("__main__")]
    classes = {one for module in modules for one in vars(module).values() if isinstance(one, type)}
    bases = {(one, base) for one in classes for base in one.__bases__}
    assert len(bases) > 500
    refused = [pair for pair in bases if pair[1].__module__ in compiled and pair[0].__module__ not in compiled]
    assert refused == []


def test_the_unit_tests_of_the_card_pass_compiled() -> None:
    build_and_test("--quick", "--test", "tests/unit/card", "tests/golden")


@pytest.mark.nightly
def test_the_whole_suite_passes_against_the_compiled_card() -> None:
    build_and_test("--test", "-n", "auto")
