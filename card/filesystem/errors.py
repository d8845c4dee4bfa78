"""What can be wrong with a file operation. The command rows map these to status words."""

from __future__ import annotations

from card.errors import CardError


class FileSystemError(CardError):
    """Base of the file system's errors."""


class FileNotFound(FileSystemError):
    """No file answers to the identifier, path, SFI or AID."""


class NoFileSelected(FileSystemError):
    """The command works on the current EF and there is none."""


class WrongStructure(FileSystemError):
    """The command does not fit the file's structure (a record command on a transparent file and the like)."""


class RecordNotFound(FileSystemError):
    """There is no record with this number."""


class OutsideFile(FileSystemError):
    """The offset lies outside the file."""


class LengthMismatch(FileSystemError):
    """The data do not have the length of the record, or reach beyond the end of the file."""


class ComposedFile(FileSystemError):
    """The card composes the content itself; nobody writes it."""


class AccessDenied(FileSystemError):
    """The access rule of the file is not satisfied."""


class FileDeactivated(FileSystemError):
    """The file is deactivated or terminated."""


class NoRoom(FileSystemError):
    """The file has no space left for what shall be stored."""


class MaximumReached(FileSystemError):
    """The sum does not fit the record."""
