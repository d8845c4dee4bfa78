"""The import packages have generic names: make sure that they are ours and whole."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from tests.meta.tree import ROOT, project_files

PACKAGES = ("card", "vpicc_bridge", "host_tools")


@pytest.mark.parametrize("name", PACKAGES)
def test_package_is_the_one_of_this_tree(name: str) -> None:
    # In a process of its own, started elsewhere: the installed package counts, not the folder pytest runs in.
    found = subprocess.run(
        [sys.executable, "-I", "-c", f"import {name}; print({name}.__file__)"],
        cwd="/",
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    assert Path(found).resolve() == ROOT / name / "__init__.py"


@pytest.mark.parametrize("name", PACKAGES)
def test_every_folder_with_python_files_is_a_package(name: str) -> None:
    sources = [path for path in project_files() if path.suffix == ".py"]
    folders = {path.parent for path in sources if ROOT / name in path.parents}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


@pytest.mark.parametrize("name", PACKAGES)
def test_package_is_marked_as_typed(name: str) -> None:
    assert (ROOT / name / "py.typed").exists()


def test_console_script_points_at_the_command_line() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    module, _, attribute = scripts["bcast-uicc"].partition(":")
    assert callable(getattr(import_module(module), attribute))


HEAVY = {
    "cryptography",
    "rich",
    "smartcard",
    "pylibsrtp",
    "dpkt",
    "Crypto",
    "card",
    "vpicc_bridge",
    "sqlite3",
    "aiohttp",
    "asyncio",
    "socket",
    "ssl",
    "tomllib",
}


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import json, sys\n"
        "from host_tools.cli.main import invoke\n"
        "status = invoke(['--help'])\n"
        "print(json.dumps([status, sorted(name.partition('.')[0] for name in sys.modules)]))"
    )
    output = subprocess.run([sys.executable, "-c", program], cwd="/", check=True, capture_output=True, text=True).stdout
    status, modules = json.loads(output.splitlines()[-1])
    assert status == 0
    assert HEAVY.intersection(modules) == set()
