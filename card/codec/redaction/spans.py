"""Pieces of bytes that are hidden."""

from __future__ import annotations

from collections.abc import Sequence

from card.codec.apdu import CommandApdu

Span = tuple[int, int]
"""First byte and the byte behind the last."""

HEADER_SIZE = 4
_SHORT_LC, _EXTENDED_LC = 1, 3


def whole(data: bytes) -> tuple[Span, ...]:
    """Return the span of all of `data`."""
    return ((0, len(data)),) if data else ()


def data_bounds(command: CommandApdu) -> Span:
    """Return where the data field of a command lies in its APDU."""
    start = HEADER_SIZE + (_EXTENDED_LC if command.extended else _SHORT_LC)
    return start, start + len(command.data)


def blank(data: bytes, spans: Sequence[Span]) -> bytes:
    """Return `data` with zeros where the spans are."""
    if not spans:
        return data
    blanked = bytearray(data)
    for start, end in spans:
        blanked[start:end] = bytes(len(blanked[start:end]))
    return bytes(blanked)
