"""Walks BER-TLV data with offsets, for hiding, showing and pointing at bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from card.codec.reader import Reader
from card.codec.tlv import read_length, read_tag
from card.errors import DecodeError

_CONSTRUCTED = 0x20
_DEEPEST = 16
_PIN_STATUS = "62/C6"  # holds objects although its tag says otherwise (TS 102 221 clause 11.1.1.4.10)


@dataclass(frozen=True, slots=True)
class TlvItem:
    """One object: its path of tags such as `62/82`, nesting depth from 0, and where its value lies in the data."""

    path: str
    tag: int
    depth: int
    start: int
    end: int
    children: bool


def walk_tlvs(data: bytes, *, padded: bool = False) -> list[TlvItem]:
    """Return the objects that fill `data`, each before those inside it; nothing when it is no TLV.

    A constructed object whose value is no TLV counts as one without anything inside. With `padded`, FF or 00
    bytes may follow the last object, as in records. A repeated tag is numbered: `62/83`, `62/83[2]`.
    """
    content = _unpadded(data) if padded else data
    try:
        return list(_walk(content, 0, "", 0))
    except DecodeError:
        return []


def _walk(data: bytes, offset: int, path: str, depth: int) -> Iterator[TlvItem]:
    reader = Reader(data)
    seen: dict[int, int] = {}
    while reader.remaining:
        tag = read_tag(reader)
        value = reader.take(read_length(reader), "value")
        seen[tag] = seen.get(tag, 0) + 1
        name = f"{path}/{tag:02X}" if path else f"{tag:02X}"
        if seen[tag] > 1:
            name += f"[{seen[tag]}]"
        end = offset + reader.position
        start = end - len(value)
        inside = _inside(tag, value, start, name, depth)
        yield TlvItem(name, tag, depth, start, end, bool(inside))
        yield from inside


def _inside(tag: int, value: bytes, start: int, path: str, depth: int) -> list[TlvItem]:
    first = tag >> 8 if tag > 0xFF else tag
    if not (first & _CONSTRUCTED or path == _PIN_STATUS) or depth >= _DEEPEST or not value:
        return []
    try:
        return list(_walk(value, start, path, depth + 1))
    except DecodeError:
        return []


def _unpadded(data: bytes) -> bytes:
    """Cut off what follows the first object when it is only padding."""
    reader = Reader(data)
    try:
        read_tag(reader)
        reader.take(read_length(reader))
    except DecodeError:
        return data
    rest = data[reader.position :]
    return data[: reader.position] if rest.strip(b"\xff") == b"" or rest.strip(b"\x00") == b"" else data


def find_item(items: list[TlvItem], offset: int) -> TlvItem | None:
    """Return the innermost object whose value holds the byte at `offset`."""
    holding = [item for item in items if item.start <= offset < item.end]
    return max(holding, key=lambda item: item.depth, default=None)
