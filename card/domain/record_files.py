"""A linear fixed file that shows one domain record in each of its records: composed when it is read, or written."""

from __future__ import annotations

from collections.abc import Callable

from card.domain.errors import IdentifierTooLong
from card.filesystem.filesystem import FileSystem
from card.filesystem.node import FileNode


class RecordFile:
    """A file that the card itself keeps; what is unused in it reads as FF. Without the file it holds nothing."""

    def __init__(self, files: FileSystem, node: FileNode | None) -> None:
        self._files = files
        self._node = node

    @property
    def count(self) -> int:
        """Number of records."""
        return self._node.record_count if self._node else 0

    def show(self, entry: Callable[[int], bytes]) -> None:
        """Compose every record from `entry(number)` when it is read. Nobody can write the file then."""
        node = self._node
        if node is not None:
            size, numbers = node.record_length, range(1, node.record_count + 1)
            self._files.contents.compose(
                node, lambda: b"".join(entry(number)[:size].ljust(size, b"\xff") for number in numbers)
            )

    def require_room(self, entry: bytes) -> None:
        """Raise `IdentifierTooLong` when an entry does not fit a record, or there is no file to show it."""
        if self._node is None or len(entry) > self._node.record_length:
            raise IdentifierTooLong

    def write(self, number: int, entry: bytes) -> None:
        """Write record `number` of a file that is not composed. Raises `IdentifierTooLong`."""
        self.require_room(entry)
        assert self._node is not None
        self._files.contents.update_record(self._node, number, entry.ljust(self._node.record_length, b"\xff"))

    def clear(self, number: int) -> None:
        """Fill record `number` with FF."""
        self.write(number, b"")
