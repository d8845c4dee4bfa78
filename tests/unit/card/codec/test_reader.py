"""The reader checks every length before it hands bytes out."""

from __future__ import annotations

import pytest

from card.codec.reader import Reader
from card.errors import DecodeError


def test_fields_in_order() -> None:
    reader = Reader(bytes.fromhex("01 0203 04050607 08090A 02AABB CC"))
    assert (reader.u8(), reader.u16(), reader.u32(), reader.uint(3)) == (1, 0x0203, 0x04050607, 0x08090A)
    assert reader.lv() == b"\xaa\xbb"
    assert (reader.position, reader.remaining) == (13, 1)
    assert reader.rest() == b"\xcc"
    reader.expect_end()


@pytest.mark.parametrize("method", ["u8", "u16", "u32", "lv"])
def test_nothing_left(method: str) -> None:
    with pytest.raises(DecodeError):
        getattr(Reader(b""), method)()


def test_length_prefix_that_lies() -> None:
    with pytest.raises(DecodeError, match="NAF_ID: 5 bytes wanted at offset 1, 1 left"):
        Reader(b"\x05A").lv("NAF_ID")


def test_negative_count() -> None:
    with pytest.raises(DecodeError):
        Reader(b"abc").take(-1)


def test_a_failed_read_moves_nothing() -> None:
    reader = Reader(b"ab")
    with pytest.raises(DecodeError):
        reader.take(3)
    assert reader.take(2) == b"ab"


def test_bytes_left_over() -> None:
    reader = Reader(b"abc")
    reader.u8()
    with pytest.raises(DecodeError, match="2 bytes too many at offset 1"):
        reader.expect_end()
