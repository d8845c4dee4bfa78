"""Holds a file for one process: by a lock on a file beside it, which names the holder and goes with the process."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from host_tools.files.writing import PRIVATE, UnwritableFile, told

_OPENING = os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LONGEST_PID = 32  # digits


class FileInUse(Exception):
    """Another process holds the file. The message names both."""


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold `path`, which need not exist, for the length of the block. Raises `FileInUse`, `UnwritableFile`."""
    beside = path.with_name(path.name + ".lock")
    handle = _take(path, beside)
    try:
        with told(beside):  # on a full disk the lock is there and cannot name its holder
            os.ftruncate(handle, 0)
            os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        beside.unlink(missing_ok=True)
        os.close(handle)


def _take(path: Path, beside: Path) -> int:
    """Return a descriptor of the file beside, locked, which still has its name: its last holder may remove it."""
    while True:
        handle = _open(beside)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _has_name(handle, beside):
                return handle
        except BlockingIOError:
            holder = os.pread(handle, _LONGEST_PID, 0).decode("ascii", "replace").strip()
            os.close(handle)
            raise FileInUse(f"{path} is in use by process {holder or 'unknown'}") from None
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _open(beside: Path) -> int:
    """Open the file beside, which nobody may have led elsewhere. Raises `UnwritableFile`."""
    with told(beside):
        try:
            handle = os.open(beside, _OPENING, PRIVATE)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise UnwritableFile(f"{beside}: is a symbolic link, and no lock") from None
            raise
    found = os.fstat(handle)
    ours = stat.S_ISREG(found.st_mode) and found.st_nlink < 2
    if not ours or not re.fullmatch(rb"\d*", os.pread(handle, _LONGEST_PID, 0)):
        os.close(handle)
        raise UnwritableFile(f"{beside}: is no lock; remove it, or name another file")
    return handle


def _has_name(handle: int, beside: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), beside.lstat())
    except FileNotFoundError:
        return False
