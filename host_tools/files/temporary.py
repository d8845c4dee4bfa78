"""Temporary folders, and what killed processes left of theirs.

A folder has the process in its name. Whoever makes the next one removes those whose process is gone: our own prefix,
our own user, and nothing else.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "bcast-uicc-"
_LEFT_OVER = re.compile(rf"{_PREFIX}(?:demo|tls|pcscd)-(\d{{1,10}})-\w+")
_SUPERUSER = 0


@contextmanager
def temporary_folder(purpose: str) -> Iterator[Path]:
    """Yield a new folder, readable by its owner alone, that goes away when the `with` block ends."""
    remove_leftovers()
    with tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{purpose}-{os.getpid()}-") as folder:
        yield Path(folder)


def remove_leftovers() -> None:
    """Remove the temporary folders of processes that are gone. What cannot be removed stays."""
    for folder in Path(tempfile.gettempdir()).iterdir():
        match = _LEFT_OVER.fullmatch(folder.name)
        if match is not None and _is_ours(folder) and not _lives(int(match[1])):
            shutil.rmtree(folder, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    """Tell whether it is a folder, not a link to one, of this user; the superuser's pcscd gives its own away."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and os.geteuid() in (found.st_uid, _SUPERUSER)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True
