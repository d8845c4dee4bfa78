"""Tells whether two names stand for one file, so that nothing is written over what is read."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from host_tools.files.writing import UnwritableFile


def identity(path: Path) -> str:
    """Return what is the same for all names of a file, also of hard links."""
    try:
        found = path.stat()
    except OSError:
        return os.path.realpath(path)
    return f"{found.st_dev}:{found.st_ino}"


class ReadFiles:
    """The files that a command reads."""

    def __init__(self, paths: Iterable[Path | None] = ()) -> None:
        """Take their names; None stands for no file."""
        self._identities = frozenset(identity(path) for path in paths if path is not None)

    def __contains__(self, path: Path) -> bool:
        return identity(path) in self._identities

    def refuse(self, path: Path) -> None:
        """Raise `UnwritableFile` where a file that is to be written is one of these."""
        if path in self:
            raise UnwritableFile(f"{path} is what this command reads: write to another file")


NOTHING_READ = ReadFiles()
