"""Reads and writes bit fields by a layout table: what stands where is data, so that a set of tables can replace it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from card.codec.reader import Reader
from card.errors import DecodeError, EncodeError
from card.lean import lean_dataclass
from card.spec.bcast.tables import RESERVED, FieldKind, FieldRow, Layout

Values = Mapping[str, Any]
"""Field name to value: a number, a tuple of `Descriptor`, or bytes."""
Presence = Callable[[FieldRow, Values], bool]
"""Decides whether a field is present, from what was read before it."""


@lean_dataclass(frozen=True, slots=True)
class Descriptor:
    """One access criterion: tag (1 byte) and data (up to 255 bytes), its meaning left to the tables."""

    tag: int
    data: bytes


def flagged(row: FieldRow, found: Values) -> bool:
    """Tell that the field named in `when` was present and not 0."""
    return not row.when or bool(found.get(row.when))


def decode_fields(layout: Layout, data: bytes, present: Presence = flagged) -> dict[str, Any]:
    """Return the fields that fill `data`. Raises `DecodeError` when they fall short of it or run over."""
    whole, left = int.from_bytes(data, "big"), 8 * len(data)
    found: dict[str, Any] = {}
    for row in layout:
        if not present(row, found):
            continue
        left -= row.bits
        if left < 0:
            raise DecodeError(f"management data end inside {row.name}")
        number = whole >> left & (1 << row.bits) - 1
        if row.kind is FieldKind.NUMBER:
            found[row.name] = number
        else:
            reader = Reader(data[len(data) - left // 8 :])
            found[row.name] = _READERS[row.kind](reader, number, row.name)
            left = 8 * reader.remaining
    if left:
        raise DecodeError(f"management data: {left} bits too many")
    return found


def encode_fields(layout: Layout, values: Values, present: Presence = flagged) -> bytes:
    """Return the fields as bytes; what `values` lacks is 0 or empty. Raises `EncodeError` for what does not fit."""
    bits, size = 0, 0
    written: dict[str, Any] = {}
    for row in layout:
        if not present(row, written):
            continue
        value = 0 if row.name.startswith(RESERVED) else values.get(row.name, _EMPTY[row.kind])
        written[row.name] = value
        number, tail = _ENCODERS[row.kind](value)
        if not 0 <= number < 1 << row.bits:
            raise EncodeError(f"{row.name} does not fit {row.bits} bits")
        bits = (bits << row.bits | number) << 8 * len(tail) | int.from_bytes(tail, "big")
        size += row.bits + 8 * len(tail)
    if size % 8:
        raise EncodeError("management data do not fill whole bytes")
    return bits.to_bytes(size // 8, "big")


def _read_descriptors(reader: Reader, count: int, name: str) -> tuple[Descriptor, ...]:
    return tuple(Descriptor(reader.u8(name), reader.lv(name)) for _ in range(count))


def _encode_descriptors(descriptors: tuple[Descriptor, ...]) -> tuple[int, bytes]:
    if any(len(item.data) > 0xFF or not 0 <= item.tag <= 0xFF for item in descriptors):
        raise EncodeError("a descriptor has a tag of one byte and at most 255 bytes of data")
    return len(descriptors), b"".join(bytes((item.tag, len(item.data))) + item.data for item in descriptors)


_READERS: Mapping[FieldKind, Callable[[Reader, int, str], Any]] = {
    FieldKind.DESCRIPTORS: _read_descriptors,
    FieldKind.OCTETS: Reader.take,
}
_ENCODERS: Mapping[FieldKind, Callable[[Any], tuple[int, bytes]]] = {
    FieldKind.NUMBER: lambda number: (number, b""),
    FieldKind.DESCRIPTORS: _encode_descriptors,
    FieldKind.OCTETS: lambda octets: (len(octets), octets),
}
_EMPTY: Mapping[FieldKind, Any] = {FieldKind.NUMBER: 0, FieldKind.DESCRIPTORS: (), FieldKind.OCTETS: b""}
