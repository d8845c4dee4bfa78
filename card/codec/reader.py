"""Reads big-endian fields from bytes that may lie about their own length."""

from __future__ import annotations

from card.errors import DecodeError


class Reader:
    """A cursor over bytes. Every read checks the length first and raises `DecodeError` when it falls short."""

    __slots__ = ("_data", "_position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    @property
    def position(self) -> int:
        """Offset of the next byte."""
        return self._position

    @property
    def remaining(self) -> int:
        """Number of bytes not read yet."""
        return len(self._data) - self._position

    def take(self, count: int, what: str = "field") -> bytes:
        """Read `count` bytes; `what` names them in the error."""
        end = self._position + count
        if count < 0 or end > len(self._data):
            raise DecodeError(f"{what}: {count} bytes wanted at offset {self._position}, {self.remaining} left")
        taken = self._data[self._position : end]
        self._position = end
        return taken

    def rest(self) -> bytes:
        """Read everything that is left."""
        return self.take(self.remaining)

    def u8(self, what: str = "byte") -> int:
        """Read one byte as an unsigned integer."""
        try:
            value = self._data[self._position]
        except IndexError:
            raise DecodeError(f"{what}: nothing left at offset {self._position}") from None
        self._position += 1
        return value

    def u16(self, what: str = "two-byte field") -> int:
        """Read two bytes as an unsigned integer."""
        return int.from_bytes(self.take(2, what), "big")

    def u32(self, what: str = "four-byte field") -> int:
        """Read four bytes as an unsigned integer."""
        return int.from_bytes(self.take(4, what), "big")

    def uint(self, size: int, what: str = "integer") -> int:
        """Read `size` bytes as an unsigned integer."""
        return int.from_bytes(self.take(size, what), "big")

    def lv(self, what: str = "length-prefixed field") -> bytes:
        """Read one length byte and that many bytes."""
        return self.take(self.u8(what), what)

    def expect_end(self, what: str = "data") -> None:
        """Raise `DecodeError` unless everything was read."""
        if self.remaining:
            raise DecodeError(f"{what}: {self.remaining} bytes too many at offset {self._position}")
