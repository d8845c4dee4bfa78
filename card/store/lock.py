"""The lock on a card file: one process holds it, under whatever name it was opened.

Two locks, both lifted by the operating system when the process ends. One is on the card file itself, so that links to
it, soft or hard, lead to the same lock. The other is on a file beside it that names the holder.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
from pathlib import Path

from card.disk.kinds import CARD, LOG
from card.disk.reading import open_plain, read_text
from card.errors import CardFileLocked, StoreError, UnusableFile

_LOCKS = "/proc/locks"
LOG_ENDING = "-log"
LOG_ENDINGS = (LOG_ENDING, "-wal", "-journal")
"""Of what may lie beside a card file: its own log, and those of SQLite (a "-wal" comes from older releases)."""
_LONGEST_PID = 32  # digits
_OPENING = os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class CardFileLock:
    """Holds a card file. `card_file` is its name without links; `shown` is how a person calls it."""

    def __init__(self, card_file: Path, shown: Path) -> None:
        """Take the file that names the holder. Raises `CardFileLocked`, `StoreError`."""
        self._card_file = card_file
        self._shown = shown
        self._path = card_file.with_name(card_file.name + ".lock")
        self._held: int | None = None
        self._handle: int | None = None
        while self._handle is None:
            handle = self._open()
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(handle, _LONGEST_PID, 0).decode("ascii", "replace").strip()
                os.close(handle)
                raise self._in_use(holder) from None
            if self._is_current(handle):
                self._handle = handle
            else:
                os.close(handle)
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, str(os.getpid()).encode(), 0)

    def hold(self) -> None:
        """Take the card file itself, which is there. Raises `CardFileLocked`, `StoreError`.

        It must stay open until SQLite has closed it: to close any descriptor of a file lifts the locks that SQLite has.
        """
        try:
            file = open_plain(self._card_file, CARD)
        except UnusableFile as error:
            raise StoreError(f"{self._shown}: {error.reason}") from None
        self._held = os.dup(file.fileno())
        file.close()
        self._look_at_logs()
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise self._in_use(_holder_of(os.fstat(self._held).st_ino)) from None

    def release(self) -> None:
        """Lift both locks and remove the file that names the holder. Releasing twice is harmless."""
        held, self._held = self._held, None
        if held is not None:
            os.close(held)
        handle, self._handle = self._handle, None
        if handle is not None:
            self._path.unlink(missing_ok=True)
            os.close(handle)

    def _open(self) -> int:
        """Open the file beside the card file, which nobody may have led elsewhere. Raises `StoreError`."""
        try:
            handle = os.open(self._path, _OPENING, 0o600)
        except OSError as error:
            reason = "is a link" if error.errno == errno.ELOOP else error.strerror
            raise StoreError(f"{self._path}: {reason}") from None
        found = os.fstat(handle)
        ours = stat.S_ISREG(found.st_mode) and found.st_nlink < 2
        if not ours or not re.fullmatch(rb"\d*", os.pread(handle, _LONGEST_PID, 0)):
            os.close(handle)
            raise StoreError(f"{self._path}: is no lock of a card file; remove it, or give the card another name")
        return handle

    def _look_at_logs(self) -> None:
        """See that what one would go on with is no link and not too large. Raises `StoreError`."""
        for ending in LOG_ENDINGS:
            log = self._card_file.with_name(self._card_file.name + ending)
            try:
                found = log.lstat()
            except OSError:
                continue
            if not stat.S_ISREG(found.st_mode) or found.st_size > (CARD.most or 0):
                raise StoreError(f"{log}: is no log of a card file")

    def _is_current(self, handle: int) -> bool:
        """Tell whether the locked file still has its name: its last holder may have removed it in between."""
        try:
            return os.path.samestat(os.fstat(handle), self._path.lstat())
        except FileNotFoundError:
            return False

    def _in_use(self, holder: str) -> CardFileLocked:
        return CardFileLocked(f"{self._shown} is in use by process {holder or 'unknown'}")


def _holder_of(inode: int) -> str:
    """Return the ID of the process that holds a file under another name, where the system tells."""
    try:
        locks = read_text(_LOCKS, LOG)
    except UnusableFile:
        return ""
    match = re.search(rf"^\d+: FLOCK +\S+ +\S+ +(\d+) +[0-9a-f]+:[0-9a-f]+:{inode} ", locks, re.MULTILINE)
    return match[1] if match else ""
