"""Programs that some tests need and not every machine has: a browser, a database server, a player.

`make test` installs them where the system has them. Where one is missing the test is skipped and says which; with
BCAST_UICC_ALL_CAPABILITIES=1, which `.ci/run` sets, it fails.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

_ALL = "BCAST_UICC_ALL_CAPABILITIES"


def program(name: str, *folders: str) -> Path:
    """Return the path of a program, also from folders beside the search path."""
    found = shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", *folders)))
    return missing(f"the program {name}") if found is None else Path(found)


def chromium() -> Path:
    """Return the path of the browser."""
    return program("chromium")


def postgresql() -> Path:
    """Return the folder with the programs of the newest PostgreSQL server."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    return found[-1] if found else program("initdb").parent


def missing(what: str) -> NoReturn:
    """Skip the test for want of `what`, or let it fail where everything must be there."""
    if os.environ.get(_ALL):
        pytest.fail(f"{what} is missing, and {_ALL} is set", pytrace=False)
    pytest.skip(f"{what} is missing: `make test` installs it where the system has it")
