"""Data objects of BER-TLV files, with tags of one to three bytes (TS 102 221 clauses 8.2.2.4 and 11.3.0)."""

from __future__ import annotations

from collections.abc import Iterator

from card.codec.reader import Reader
from card.codec.tlv import encode_length, read_length
from card.errors import DecodeError

TAG_LIST = b"\x5c"
"""Stands for the list of all tags in a file; no object has it."""
_LONG = 0x1F
_CONTEXT_CLASS = 0x80


def read_object_tag(reader: Reader) -> bytes:
    """Read a tag of one to three bytes. Raises `DecodeError` for a class other than context-specific, but for 5C."""
    tag = reader.take(1, "tag")
    if tag == TAG_LIST:
        return tag
    if tag[0] & 0xC0 != _CONTEXT_CLASS:
        raise DecodeError(f"tag {tag.hex()}: only context-specific tags can be stored")
    if tag[0] & _LONG != _LONG:
        return tag
    tag += reader.take(1, "second tag byte")
    if tag[1] & 0x80:
        tag += reader.take(1, "third tag byte")
        if tag[1] == 0x80 or tag[2] & 0x80:
            raise DecodeError(f"tag {tag.hex()}: three bytes at most, without leading zeros")
    elif tag[1] < _LONG:
        raise DecodeError(f"tag {tag.hex()}: fits one byte")
    return tag


def encode_object(tag: bytes, value: bytes) -> bytes:
    """Return tag, length in its shortest form, and value."""
    return tag + encode_length(len(value)) + value


def object_size(tag: bytes, value: bytes) -> int:
    """Return how many bytes an object takes."""
    return len(tag) + len(encode_length(len(value))) + len(value)


def split_objects(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield tag and value of the objects that fill `data`. Raises `DecodeError`."""
    reader = Reader(data)
    while reader.remaining:
        tag = read_object_tag(reader)
        yield tag, reader.take(read_length(reader), f"value of tag {tag.hex()}")
