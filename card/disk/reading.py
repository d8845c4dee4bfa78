"""The one way in: every file that a person names is opened here.

Opened are plain files only, looked at after they are open, so that no name can be changed in between: a device or a
pipe could go on for ever, or never begin. Only what may be live can be a pipe, and then somebody must write into it.
No more is read than the kind of file may have, whatever its size says.
"""

from __future__ import annotations

import os
import select
import stat
from io import BufferedReader, FileIO
from typing import TYPE_CHECKING

from card.disk.kinds import FileKind
from card.errors import UnusableFile

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PATIENCE = 10.0
"""Seconds that a pipe may be silent at first."""
AnyPath = str | os.PathLike[str]
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# A pipe is opened without waiting for its other end, a terminal without becoming ours.
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class _Plain(FileIO):
    """A file that ends where one would have to wait for more: some of the system's look plain, /proc/kmsg for one."""

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        return super().readinto(buffer) or 0

    def readall(self) -> bytes:
        return super().readall() or b""


def open_plain(path: AnyPath, kind: FileKind) -> BufferedReader:
    """Open a plain file for reading; whoever called closes it. Raises `UnusableFile`."""
    name = os.fspath(path)
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError as error:
        raise UnusableFile(name, f"cannot be read: {error.strerror}") from None
    except ValueError:
        raise UnusableFile(name, "cannot be read: not a file name") from None
    try:
        found = os.fstat(descriptor)
        if kind.live and stat.S_ISFIFO(found.st_mode):
            _await_writer(descriptor, name)
            return os.fdopen(descriptor, "rb")
        _require_plain(found, name, kind)
        return BufferedReader(_Plain(descriptor))
    except BaseException:
        os.close(descriptor)
        raise


def read_bytes(path: AnyPath, kind: FileKind) -> bytes:
    """Return all bytes of a plain file of a kind that has a limit. Raises `UnusableFile`."""
    if kind.most is None:
        raise ValueError(f"{kind.words} is not read whole")
    name = os.fspath(path)
    with open_plain(path, kind) as file:
        try:
            data = file.read(kind.most + 1)
        except OSError as error:
            raise UnusableFile(name, f"cannot be read: {error.strerror}") from None
    if len(data) > kind.most:  # it grew meanwhile, or its size says nothing, as in /proc
        raise _too_large(name, kind)
    return data


def read_text(path: AnyPath, kind: FileKind) -> str:
    """Return the text of a plain file in UTF-8. Raises `UnusableFile`, with line and column where it is not that."""
    return decode_text(read_bytes(path, kind), os.fspath(path))


def decode_text(data: bytes, name: str) -> str:
    """Return UTF-8 as text, without a byte order mark; `name` is the file in messages. Raises `UnusableFile`."""
    data = data.removeprefix(_BYTE_ORDER_MARK)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        start = error.start
    line = data.count(b"\n", 0, start) + 1
    column = len(data[data.rfind(b"\n", 0, start) + 1 : start].decode()) + 1
    raise UnusableFile(name, f"not UTF-8 text, at column {column}", line)


def require_plain(path: AnyPath, kind: FileKind) -> None:
    """Raise `UnusableFile` where a file is no plain one of this kind now: for what a library opens by its name."""
    open_plain(path, kind).close()


def _await_writer(descriptor: int, name: str) -> None:
    """Return when something comes out of a pipe. Raises `UnusableFile` when nothing does in time."""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    if not waiting.poll(1000 * PATIENCE):
        raise UnusableFile(name, "a pipe into which nobody writes")
    os.set_blocking(descriptor, True)


def _require_plain(found: os.stat_result, name: str, kind: FileKind) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise UnusableFile(name, "cannot be read: Is a directory")
    if not stat.S_ISREG(found.st_mode):
        raise UnusableFile(name, "not a plain file")
    if kind.most is not None and found.st_size > kind.most:
        raise _too_large(name, kind)


def _too_large(name: str, kind: FileKind) -> UnusableFile:
    return UnusableFile(name, f"larger than {kind.most} bytes, the most {kind.words} may have")
