"""A linear fixed file that shows one domain record in each of its records."""

from __future__ import annotations

from card.domain.errors import IdentifierTooLong
from card.filesystem.filesystem import FileSystem
from card.filesystem.node import FileNode


class RecordFile:
    """Writes entries, padded with FF, into a file that the card itself keeps. Without the file it holds nothing."""

    def __init__(self, files: FileSystem, node: FileNode | None) -> None:
        self._files = files
        self._node = node

    @property
    def count(self) -> int:
        """Number of records."""
        return self._node.record_count if self._node else 0

    def read(self, number: int) -> bytes:
        """Return record `number` as it stands, padding included; nothing without the file."""
        return self._files.contents.read_record(self._node, number) if self._node else b""

    def write(self, number: int, entry: bytes) -> None:
        """Write record `number`. Raises `IdentifierTooLong` when the entry does not fit."""
        if self._node is None or len(entry) > self._node.record_length:
            raise IdentifierTooLong
        self._files.contents.update_record(self._node, number, entry.ljust(self._node.record_length, b"\xff"))

    def clear(self, number: int) -> None:
        """Fill record `number` with FF."""
        self.write(number, b"")
