"""The data objects of an OMA BCAST operation, read by their names in the tables."""

from __future__ import annotations

from collections.abc import Mapping

from card.errors import DecodeError
from card.spec.bcast.tables import BcastTables

TERMINAL_ID_SIZE = 17  # type byte and 16 bytes
_LONGEST_CONTENT_ID = 255


class Fields:
    """Objects by tag. Every read raises `DecodeError` for an object that is missing or of another size."""

    __slots__ = ("_objects", "_tags")

    def __init__(self, objects: Mapping[int, bytes], tables: BcastTables) -> None:
        self._objects = objects
        self._tags = tables.audit_tags

    def has(self, name: str) -> bool:
        """Tell whether an object is there."""
        return self._tags[name] in self._objects

    def expect_only(self, *names: str) -> None:
        """Raise `DecodeError` for any object that is none of these."""
        if set(self._objects) - {self._tags[name] for name in names}:
            raise DecodeError("OMA BCAST: an object that this operation does not know")

    def octets(self, name: str, size: int) -> bytes:
        """Return an object of `size` bytes."""
        value = self._objects.get(self._tags[name])
        if value is None or len(value) != size:
            raise DecodeError(f"OMA BCAST: {name} of {size} bytes is wanted")
        return value

    def number(self, name: str, size: int) -> int:
        """Return an object of `size` bytes as an unsigned number."""
        return int.from_bytes(self.octets(name, size), "big")

    def interval(self, name: str) -> tuple[int, int]:
        """Return an object of two numbers of 4 bytes."""
        value = self.octets(name, 8)
        return int.from_bytes(value[:4], "big"), int.from_bytes(value[4:], "big")

    def content(self) -> tuple[bytes, bytes]:
        """Return terminal id (17 bytes) and content id (1 to 255 bytes)."""
        content_id = self._objects.get(self._tags["content_id"], b"")
        if not 1 <= len(content_id) <= _LONGEST_CONTENT_ID:
            raise DecodeError(f"OMA BCAST: content_id of 1 to {_LONGEST_CONTENT_ID} bytes is wanted")
        return self.octets("terminal_id", TERMINAL_ID_SIZE), content_id
