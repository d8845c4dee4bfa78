"""BER-TLV with the tag and length forms that UICC commands use (TS 101 220 clause 7.1, ISO 7816-4 clause 5.2.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from card.codec.reader import Reader
from card.errors import DecodeError, EncodeError
from card.lean import lean_dataclass

_TWO_BYTE_TAG = 0x1F  # all five low bits of the first tag byte set: a second tag byte follows


@lean_dataclass(frozen=True, slots=True)
class Tlv:
    """One data object: a tag of one or two bytes (as an integer) and its value."""

    tag: int
    value: bytes

    def encode(self) -> bytes:
        """Return tag, length and value."""
        return encode_tlv(self.tag, self.value)


def encode_length(length: int) -> bytes:
    """Return the BER length field for `length` bytes (1 to 4 bytes long)."""
    if length < 0x80:
        return bytes((length,))
    for size in (1, 2, 3):
        if length < 1 << 8 * size:
            return bytes((0x80 | size,)) + length.to_bytes(size, "big")
    raise EncodeError(f"TLV length {length} does not fit three bytes")


def encode_tlv(tag: int, value: bytes) -> bytes:
    """Return one data object. The tag may be any one- or two-byte tag."""
    return tag.to_bytes(1 if tag < 0x100 else 2, "big") + encode_length(len(value)) + value


def encode_tlvs(objects: Iterable[Tlv]) -> bytes:
    """Return data objects one after the other."""
    return b"".join(item.encode() for item in objects)


def read_length(reader: Reader) -> int:
    """Read a BER length field: one byte below 80, or 81, 82, 83 followed by the length."""
    first = reader.u8("TLV length")
    if first < 0x80:
        return first
    if first not in (0x81, 0x82, 0x83):
        raise DecodeError(f"TLV length byte {first:02X} is not supported")
    return reader.uint(first & 0x7F, "TLV length")


def read_tag(reader: Reader) -> int:
    """Read a tag of one or two bytes."""
    first = reader.u8("tag")
    if first & _TWO_BYTE_TAG != _TWO_BYTE_TAG:
        return first
    return first << 8 | reader.u8("second tag byte")


def read_tlv(reader: Reader) -> Tlv:
    """Read one data object."""
    tag = read_tag(reader)
    return Tlv(tag, reader.take(read_length(reader), f"value of tag {tag:02X}"))


def iter_tlvs(data: bytes) -> Iterator[Tlv]:
    """Yield the data objects that fill `data` exactly. Raises `DecodeError` where one does not fit."""
    reader = Reader(data)
    while reader.remaining:
        yield read_tlv(reader)


def decode_tlv(data: bytes) -> Tlv:
    """Return the one data object that fills `data`."""
    reader = Reader(data)
    item = read_tlv(reader)
    reader.expect_end("TLV")
    return item


def decode_tlvs(data: bytes) -> dict[int, bytes]:
    """Return tag to value for data objects that fill `data`; a repeated tag is a `DecodeError`."""
    found: dict[int, bytes] = {}
    for item in iter_tlvs(data):
        if item.tag in found:
            raise DecodeError(f"tag {item.tag:02X} occurs twice")
        found[item.tag] = item.value
    return found
