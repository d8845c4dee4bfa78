"""BER-TLV: tags of one and two bytes, lengths of one to four."""

from __future__ import annotations

import pytest

from card.codec.tlv import Tlv, decode_tlv, decode_tlvs, encode_length, encode_tlv, encode_tlvs, iter_tlvs
from card.errors import DecodeError, EncodeError


@pytest.mark.parametrize(
    ("length", "coded"),
    [
        (0, "00"), (0x7F, "7F"), (0x80, "8180"), (0xFF, "81FF"), (0x100, "820100"), (0xFFFF, "82FFFF"),
        (0x10000, "83010000"), (0xFFFFFF, "83FFFFFF"),
    ],
)  # fmt: skip
def test_length(length: int, coded: str) -> None:
    assert encode_length(length).hex().upper() == coded


def test_length_that_does_not_fit() -> None:
    with pytest.raises(EncodeError):
        encode_length(1 << 24)


@pytest.mark.parametrize("tag", [0x53, 0x7F, 0x80, 0xA0, 0x5F2A, 0xBF20])
@pytest.mark.parametrize("size", [0, 1, 127, 128, 255, 256, 70000])
def test_there_and_back(tag: int, size: int) -> None:
    if tag == 0x7F:
        tag = 0x7F49  # 7F alone announces a second byte
    assert decode_tlv(encode_tlv(tag, bytes(size))) == Tlv(tag, bytes(size))


@pytest.mark.parametrize(
    "raw",
    [
        "", "53", "5F", "5301", "530200", "5380", "538400000000", "5381", "538200", "53820001", "7F49",
        "530100FF",
    ],
)  # fmt: skip
def test_not_one_object(raw: str) -> None:
    with pytest.raises(DecodeError):
        decode_tlv(bytes.fromhex(raw))


def test_a_length_longer_than_memory_is_refused_at_once() -> None:
    with pytest.raises(DecodeError):
        list(iter_tlvs(bytes.fromhex("5383FFFFFF00")))


def test_several_objects() -> None:
    items = [Tlv(0x80, b"a"), Tlv(0x82, b"")]
    assert list(iter_tlvs(encode_tlvs(items))) == items
    assert decode_tlvs(encode_tlvs(items)) == {0x80: b"a", 0x82: b""}
    assert decode_tlvs(b"") == {}


def test_a_tag_twice() -> None:
    with pytest.raises(DecodeError, match="80 occurs twice"):
        decode_tlvs(bytes.fromhex("8001018001 02"))
