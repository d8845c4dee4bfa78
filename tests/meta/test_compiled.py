"""The compiled card: its list of modules keeps to the source, and it answers as the one in Python does."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from importlib import import_module

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


def test_nothing_in_python_inherits_from_what_is_compiled() -> None:
    """Such a class can be made, and none of its values: what uses it, as a trace does, ends with the first of them."""
    for package in ("card", "vpicc_bridge", "host_tools"):
        for found in pkgutil.walk_packages(import_module(package).__path__, f"{package}."):
            import_module(found.name)
    compiled = {f"card.{module.replace('/', '.')}" for module in MODULES}
    values = [value for name in compiled for value in vars(import_module(name)).values()]
    made: set[type[object]] = {value for value in values if isinstance(value, type) and value.__module__ in compiled}
    heirs = [heir for it in made for heir in it.__subclasses__()]
    assert [f"{heir.__module__}.{heir.__name__}" for heir in heirs if heir.__module__ not in compiled] == []


def test_the_unit_tests_of_the_card_pass_compiled() -> None:
    build_and_test("--quick", "--test", "tests/unit/card", "tests/golden")


@pytest.mark.nightly
def test_the_whole_suite_passes_against_the_compiled_card() -> None:
    build_and_test("--test", "-n", "auto")
