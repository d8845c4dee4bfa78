"""The data objects of the BCMCS command: one byte of tag, one of length, the value (3GPP2 C.S0023-D clause 4.9).

The length is a plain byte, up to 255, and not the BER form. Which tag means what is the caller's table.
"""

from __future__ import annotations

from collections.abc import Iterable

from card.codec.reader import Reader
from card.errors import EncodeError

_LONGEST = 255


def encode_objects(objects: Iterable[tuple[int, bytes]]) -> bytes:
    """Return data objects, given as tag and value, one after the other. Raises `EncodeError` for a value over 255."""
    encoded = b""
    for tag, value in objects:
        if len(value) > _LONGEST:
            raise EncodeError(f"BCMCS object {tag:02X}: {len(value)} bytes, at most {_LONGEST} fit")
        encoded += bytes((tag, len(value))) + value
    return encoded


def decode_objects(data: bytes) -> list[tuple[int, bytes]]:
    """Return the objects that fill `data` exactly, as tag and value, in their order. Raises `DecodeError`."""
    reader, found = Reader(data), []
    while reader.remaining:
        tag = reader.u8("BCMCS tag")
        found.append((tag, reader.lv(f"BCMCS object {tag:02X}")))
    return found
