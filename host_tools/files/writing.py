"""The one way out: a file appears under its name when it is whole, or it is as it was.

What is written goes into a file of its own beside the target, which takes the target's name in the end. A name that is
a symbolic link is refused: whoever may write into the folder could have led it anywhere. A device or a pipe is written
straight into, because its name stays what it is.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO, cast

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

PRIVATE = 0o600
PUBLIC = 0o666
"""Permissions of a new file, before the user's mask."""

_SHOWN_NAME = 40  # characters of a name that its draft shares, so that no name becomes too long
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})
_NEW = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# A pipe without a reader is an error at once and no wait without end.
_THROUGH = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class UnwritableFile(Exception):
    """A file cannot be written. The message names it and says why."""


@contextmanager
def whole_file(path: Path, *, private: bool = False) -> Iterator[BinaryIO]:
    """Yield a file that gets the name `path` when the `with` block ends well; otherwise nothing is left of it.

    With `private` only its owner may read it; a file that is replaced otherwise keeps its permissions. Raises
    `UnwritableFile`, also for what the block writes: a full disk names the file. Closing the file does nothing.
    """
    if is_special(path):
        special = _Special(path)
        try:
            with _naming(path):
                yield cast("BinaryIO", special)
        finally:
            special.finish()
        return
    with told(path):
        draft = _Draft(path, private=private)
    try:
        with _naming(path):
            yield cast("BinaryIO", draft)
        with told(path):
            draft.keep()
    finally:
        draft.discard()


@contextmanager
def whole_text(path: Path, *, private: bool = False) -> Iterator[TextIO]:
    """Do the same for text in UTF-8. Raises `UnwritableFile`."""
    with whole_file(path, private=private) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="")
        yield text
        text.flush()


def write_whole(path: Path, content: bytes, *, private: bool = False) -> None:
    """Write a file in one go. Raises `UnwritableFile`; the file is then as it was."""
    with whole_file(path, private=private) as file:
        file.write(content)


def open_growing(path: Path, *, new: bool = False) -> BinaryIO:
    """Make a file that can be watched while it grows. Raises `UnwritableFile`.

    What the file held before is gone; with `new` it must not exist.

    Whatever one `write` takes is in the file whole when it returns; where it does not fit, none of it is.
    """
    if is_special(path) and not new:
        return cast("BinaryIO", _Special(path, closes=True))
    return cast("BinaryIO", _Growing(_emptied(path, new=new), path))


def open_in_place(path: Path) -> BinaryIO:
    """Make a file whose head is written last, such as a sound; what it held before is gone. Raises `UnwritableFile`."""
    return os.fdopen(_emptied(path), "r+b")


def _emptied(path: Path, *, new: bool = False) -> int:
    """Return a descriptor of a plain file without content; with `new` it must not exist."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with told(path):
        if _kept_mode(path) is not None and new:
            raise UnwritableFile(f"{path} is there already")
        descriptor = os.open(path, flags | (os.O_EXCL if new else 0), PUBLIC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UnwritableFile(f"{path}: not a plain file")
            os.ftruncate(descriptor, 0)
        except BaseException:
            os.close(descriptor)
            raise
    return descriptor


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn what the system says in the block into `UnwritableFile` for `path`."""
    try:
        yield
    except OSError as error:
        raise UnwritableFile(f"{path}: cannot be written: {error.strerror or error}") from None


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Do so for what was written into `path` only: a block may fail on other files, too."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        unnamed = error.filename is None and error.errno in _NO_ROOM
        if not unnamed and error.filename != str(path):
            raise
        raise UnwritableFile(f"{path}: cannot be written: {error.strerror}") from None


def is_special(path: Path) -> bool:
    """Tell whether a name stands for something that is no plain file, such as `/dev/null` or a pipe."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _kept_mode(path: Path) -> int | None:
    """Return the permissions of the file that is there; None where there is none. Raises `UnwritableFile`."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(found.st_mode):
        raise UnwritableFile(f"{path}: is a symbolic link, and nothing is written through one: name the file itself")
    if not stat.S_ISREG(found.st_mode):
        raise UnwritableFile(f"{path}: cannot be written: Is a directory")
    return stat.S_IMODE(found.st_mode)


def _named(error: OSError, path: Path) -> OSError:
    return type(error)(error.errno, error.strerror, str(path))


class _Special(io.FileIO):
    """A device or a pipe, whose errors have its name. Unless it `closes`, it stays open until `finish`."""

    def __init__(self, path: Path, *, closes: bool = False) -> None:
        """Open it. Raises `UnwritableFile`."""
        with told(path):
            descriptor = os.open(path, _THROUGH)
        os.set_blocking(descriptor, True)
        super().__init__(descriptor, "wb")
        self._path = path
        self._closes = closes

    def close(self) -> None:
        if self._closes:
            super().close()

    def finish(self) -> None:
        super().close()

    def write(self, data: ReadableBuffer) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise _named(error, self._path) from None


class _Draft(io.BufferedRandom):
    """A file beside its target. It stays open when its user closes it: it is not done before it has its name."""

    def __init__(self, target: Path, *, private: bool) -> None:
        """Make the file. Raises `OSError`, `UnwritableFile`."""
        self._target = target
        before = _kept_mode(target)
        self._before = None if private else before
        self._place = target.with_name(f"{target.name[:_SHOWN_NAME]}.{os.urandom(8).hex()}.part")
        mode = PRIVATE if private or self._before is not None else PUBLIC
        descriptor = os.open(self._place, os.O_RDWR | _NEW, mode)
        super().__init__(io.FileIO(descriptor, "r+b"))

    def write(self, data: ReadableBuffer) -> int:
        # The name is given here and not by the file below: between that and its buffer nothing may interrupt.
        try:
            return super().write(data)
        except OSError as error:
            raise _named(error, self._target) from None

    def close(self) -> None:
        if not self.closed:
            self.flush()

    def keep(self) -> None:
        """Give the file its name. Raises `OSError`."""
        self.flush()
        if self._before is not None:
            os.fchmod(self.fileno(), self._before)
        os.fsync(self.fileno())
        self._place.replace(self._target)

    def discard(self) -> None:
        """Close the file, and remove it where it has not got its name."""
        with contextlib.suppress(OSError):
            super().close()
        with contextlib.suppress(OSError):
            self._place.unlink()


class _Growing(io.RawIOBase):
    """A file in which each write stands whole or not at all."""

    def __init__(self, descriptor: int, path: Path) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._path = path
        self._size = 0

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def write(self, data: ReadableBuffer) -> int:
        view = memoryview(data).cast("B")
        done = 0
        try:
            while done < len(view):
                done += os.write(self._descriptor, view[done:])
        except OSError as error:
            self._undo()
            raise _named(error, self._path) from None
        self._size += done
        return done

    def _undo(self) -> None:
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, self._size)
            os.lseek(self._descriptor, self._size, os.SEEK_SET)
            if not self._size:
                self._path.unlink()

    def close(self) -> None:
        if not self.closed:
            super().close()
            os.close(self._descriptor)
