"""The log of a card file: what was committed since the database was written last, in `NAME.card-log` beside it.

A commit appends one record, which is a single write to the operating system and takes a fifth of the time of SQLite's
transaction. The log is folded into the database when it is full, and when the card file is closed, which removes it.

The log begins with the mark of the database that it continues. Each fold gives the database a new mark, so a log that
was folded already, or that belongs to another state of the card, is never taken up again. Each record ends the chain of
check values so far: a record that a power cut tore, and whatever stands behind it, is not taken for one.
"""

from __future__ import annotations

import errno
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from struct import Struct, error
from typing import Final

MARK_LENGTH: Final = 8
_MAGIC: Final = b"BCUC-LOG"
_HEADER: Final = len(_MAGIC) + MARK_LENGTH
_RECORD: Final = Struct(">II")  # length and check value of a body
_CHANGE: Final = Struct(">HI")  # lengths of key and value
_GONE: Final = 0xFFFFFFFF  # instead of the length of a value: the key is deleted
_LONGEST_RECORD: Final = 1 << 14
_FULL: Final = 1 << 20
_MOST: Final = _FULL + _HEADER + _RECORD.size + _LONGEST_RECORD

Changes = dict[str, bytes | None]


class DamagedLog(Exception):
    """What stands there cannot be the log of a card file. The message shows nothing of it."""


class ChangeLog:
    """Appends changes to a file that is made when it is first needed. For the one process that holds the card file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = -1
        self._mark = b""
        self._end = 0
        self._check = 0

    def read(self, mark: bytes) -> Changes:
        """Return what was committed after the database got its mark; further records go behind it.

        Raises `DamagedLog` for a file that is no log, `OSError`.
        """
        content = self._content()
        was_written = any(content[:_HEADER])  # a power cut may leave zeros in the place of what was on its way
        if was_written and not content.startswith(_MAGIC[: len(content)]):
            raise DamagedLog("what lies beside it is no log of a card file")
        changes: Changes = {}
        self.restart(mark)
        if content[:_HEADER] == _MAGIC + mark:
            for end, check, body in _records(content, self._check):
                self._end, self._check = end, check
                changes.update(_changes(body))
        return changes

    def _content(self) -> bytes:
        with suppress(FileNotFoundError):
            self._file = os.open(self.path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            return os.pread(self._file, _MOST, 0)
        return b""

    def restart(self, mark: bytes) -> None:
        """Begin anew behind a database with this mark. What stands in the file no longer counts."""
        self._mark, self._end, self._check = mark, 0, zlib.crc32(mark)

    @property
    def is_full(self) -> bool:
        """Whether it is time to fold it into the database."""
        return self._end > _FULL

    def append(self, changes: Mapping[str, bytes | None]) -> bool:
        """Add the changes, all or none; return False when they are too long for a log. Raises `OSError`."""
        body = _body(changes)
        if len(body) > _LONGEST_RECORD:
            return False
        check = zlib.crc32(body, self._check)
        record = _RECORD.pack(len(body), check) + body
        end = self._end or _HEADER
        if self._end == 0:
            self._begin()
        if os.pwrite(self._file, record, end) != len(record):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._end, self._check = end + len(record), check
        return True

    def _begin(self) -> None:
        if self._file < 0:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._file = os.open(self.path, flags, 0o600)
        os.ftruncate(self._file, 0)
        if os.pwrite(self._file, _MAGIC + self._mark, 0) != _HEADER:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self, *, remove: bool) -> None:
        """Close the file; remove it where nothing in it counts."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            if remove:
                with suppress(OSError):  # where it stays, its mark says that it is over
                    self.path.unlink()


def _body(changes: Mapping[str, bytes | None]) -> bytes:
    parts = []
    for key, value in changes.items():
        name = key.encode()
        if value is None:
            parts += [_CHANGE.pack(len(name), _GONE), name]
        else:
            parts += [_CHANGE.pack(len(name), len(value)), name, value]
    return b"".join(parts)


def _records(content: bytes, check: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield where each whole record ends, the check value up to there, and its body."""
    start = _HEADER
    while len(content) >= start + _RECORD.size:
        length, expected = _RECORD.unpack_from(content, start)
        body = content[start + _RECORD.size : start + _RECORD.size + length]
        check = zlib.crc32(body, check)
        if not body or len(body) != length or check != expected:
            return
        start += _RECORD.size + length
        yield start, check, body


def _changes(body: bytes) -> Changes:
    """Return the changes of a record. Raises `DamagedLog` where somebody made it up."""
    changes: Changes = {}
    start, end = 0, len(body)
    try:
        while start < end:
            name_length, length = _CHANGE.unpack_from(body, start)
            name_end = start + _CHANGE.size + name_length
            key = body[start + _CHANGE.size : name_end].decode()
            start = name_end if length == _GONE else name_end + length
            changes[key] = None if length == _GONE else body[name_end:start]
    except (UnicodeDecodeError, error):
        start = -1
    if start != end:  # raised out here, where no exception stands behind it that shows the bytes
        raise DamagedLog("a record of its log is none")
    return changes
