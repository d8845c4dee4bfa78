"""Builds the compiled card: the hot modules of the card through mypyc, from the same source, in a folder of its own.

    python -m tools.compiled [--wheel FOLDER] [--quick] [--test [TESTS...]]

`build/compiled` becomes a copy of the project in which these modules are machine code. Who imports from there runs the
compiled card: `PYTHONPATH=build/compiled .venv/bin/bcast-uicc ...`. With `--wheel` the folder gets a wheel of the same
name and version for this platform, which pip prefers to the pure one. With `--test` the tests run there. `--quick` has
the C compiler optimise nothing: the same code in half the time, for tests alone. Nothing is written beside the source.

Needs a C compiler and mypy. docs/dev/performance.md says what it gains, and why these modules and no others.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tools.own_inits import with_own_inits

ROOT: Final = Path(__file__).parents[1]
BUILT: Final = ROOT / "build" / "compiled"

# What an STKM, a SELECT and a READ come by, and what inherits from it. Left out are: protocols that are checked at run
# time; dataclasses that are read by their annotations (records) or are generic; enumerations, which dataclasses hold as
# ClassVars. mypyc keeps none of these as they are. Left out, too, is what opens a card file: compiled, `raise ... from
# None` does not hide the exception before, which could show what is stored.
MODULES: Final = (
    "card",
    "codec/apdu", "codec/bcast/management", "codec/reader", "codec/tlv",
    "codec/mikey/fields", "codec/mikey/header", "codec/mikey/key_data", "codec/mikey/key_ids", "codec/mikey/message",
    "codec/mikey/payloads", "codec/mikey/stkm", "codec/redaction/odd",
    "commands/authenticate/blocks", "commands/authenticate/contexts", "commands/authenticate/even",
    "commands/authenticate/odd",
    "commands/bcast/answers", "commands/bcast/parental", "commands/context", "commands/delivery", "commands/dispatch",
    "commands/generations", "commands/parts", "commands/reply", "commands/secure_channel/tek_guard",
    "crypto/aka_algorithm", "crypto/gsm_conversion", "crypto/mikey_keys", "crypto/milenage", "crypto/primitives",
    "crypto/secret",
    "domain/authentication/aka", "domain/authentication/sqn", "domain/bcast/bcast",
    "domain/keys/key_root", "domain/keys/stkm", "domain/messages/stkm",
    "domain/messages/verdict", "domain/services",
    "filesystem/contents", "filesystem/tree",
    "state/nonvolatile", "state/session", "state/stored", "store/layout", "store/log",
)  # fmt: skip

# They inherit from classes of the card or replace methods of one, which compiled classes refuse; build all of this; or
# are about the source alone, or what is installed, and not about what runs.
_NOT_AGAINST_IT: Final = (
    "tests/meta/test_compiled.py",
    "tests/meta/test_own_inits.py",
    "tests/meta/test_packages.py::test_package_is_the_one_of_this_tree",
    "tests/meta/test_provisional.py",
    "tests/unit/card/commands/test_no_secrets.py",
    "tests/unit/card/commands/authenticate/test_msk_update.py::test_an_interrupt_leaves_nothing_of_it",
    "tests/unit/card/store/test_sqlite_store.py::test_an_interrupted_commit_is_none_and_the_next_one_is_kept",
    "tests/unit/card/commands/bcast/test_bcast_secrets.py::test_no_secret_in_trace_reply_repr_or_exception",
    "tests/unit/card/commands/secure_channel/test_tek_policy.py::test_the_tek_never_crosses_the_wire",
    "tests/unit/host_tools/script/test_script_suites_notice.py::test_a_bent_rule_is_noticed",
)

# setuptools comes first: mypyc finds distutils through it, which Python has no more from 3.12 on.
_SETUP: Final = """from setuptools import setup

from mypyc.build import mypycify

setup(ext_modules=mypycify(["card"], only_compile_paths={modules}, opt_level="{level}", debug_level="0"))
"""

_COPIED: Final = ("card", "vpicc_bridge", "host_tools", "tests", "tools", "docs")
_LEFT_OUT: Final = shutil.ignore_patterns("__pycache__", "*.egg-info", "_build")


def copy_project(target: Path) -> None:
    """Make `target` a fresh copy of everything that the packages and their tests need."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in _COPIED:
        shutil.copytree(ROOT / name, target / name, ignore=_LEFT_OUT)
    for file in (*ROOT.glob("*.md"), *ROOT.glob("*.t*"), ROOT / "LICENSE", ROOT / "Makefile"):
        shutil.copy2(file, target)


def write_inits(target: Path) -> None:
    """Write the `__init__` of each value of these modules into the copy, where mypyc can see it."""
    for module in MODULES:
        path = target / "card" / f"{module}.py"
        path.write_text(with_own_inits(path.read_text()))


def write_setup(target: Path, *, quick: bool) -> None:
    """Make setuptools compile in the copy, and a wheel that is built there bring mypyc along."""
    modules = [f"card/{module}.py" for module in MODULES]
    (target / "setup.py").write_text(_SETUP.format(modules=modules, level="0" if quick else "2"))
    project = target / "pyproject.toml"
    needed = f'requires = ["setuptools>=77", "mypy=={version("mypy")}", "cryptography>=43"]'
    project.write_text(project.read_text().replace('requires = ["setuptools>=69"]', needed))


def run_tests(options: list[str]) -> int:
    """Run pytest with these options against the compiled card; return its exit status."""
    left_out = [word for test in _NOT_AGAINST_IT for word in ("--deselect", test)]
    command = [sys.executable, "-m", "pytest", *options, *left_out]
    return subprocess.run(command, cwd=BUILT, env={**os.environ, "PYTHONPATH": str(BUILT)}, check=False).returncode


def main() -> None:
    """Build, and tell where it stands."""
    parser = argparse.ArgumentParser(description="Build the compiled card.")
    parser.add_argument("--wheel", type=Path, metavar="FOLDER", help="put a wheel for this platform here, too")
    parser.add_argument("--quick", action="store_true", help="do not optimise: for tests alone")
    parser.add_argument(
        "--test", nargs=argparse.REMAINDER, metavar="OPTION", help="run pytest with these options there"
    )
    options = parser.parse_args()
    with one_at_a_time():
        sys.exit(build(options))


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Wait until nobody else builds or tests in the folder, and keep others waiting."""
    BUILT.parent.mkdir(exist_ok=True)
    with BUILT.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build(options: argparse.Namespace) -> int:
    """Do what the options say; return the exit status of the tests, 0 without any."""
    copy_project(BUILT)
    write_inits(BUILT)
    write_setup(BUILT, quick=options.quick)
    subprocess.run([sys.executable, "setup.py", "-q", "build_ext", "--inplace"], cwd=BUILT, check=True)
    print(f"compiled card: PYTHONPATH={BUILT} bcast-uicc ...")
    if options.wheel:
        wheel = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(options.wheel.resolve())]
        subprocess.run([*wheel, str(BUILT)], check=True)
        print(f"wheel: in {options.wheel}")
    return 0 if options.test is None else run_tests(options.test)


if __name__ == "__main__":
    main()
