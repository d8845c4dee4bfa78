"""Command APDUs: the cases of ISO 7816-4, and what is none of them."""

from __future__ import annotations

import pytest

from card.codec.apdu import (
    ClassFamily,
    CommandApdu,
    channel_of,
    class_family,
    wants_secure_messaging,
)
from card.errors import DecodeError, EncodeError

CASES = {
    "case 1": ("00A40000", CommandApdu(0, 0xA4, 0, 0)),
    "case 2": ("00B0000005", CommandApdu(0, 0xB0, 0, 0, le=5)),
    "case 2, Le 00": ("00B0000000", CommandApdu(0, 0xB0, 0, 0, le=256)),
    "case 3": ("00A40004023F00", CommandApdu(0, 0xA4, 0, 4, b"\x3f\x00")),
    "case 4": ("00A40004023F0000", CommandApdu(0, 0xA4, 0, 4, b"\x3f\x00", 256)),
    "case 2 extended": ("00B00000000100", CommandApdu(0, 0xB0, 0, 0, le=256, extended=True)),
    "case 2 extended, Le 0000": ("00B00000000000", CommandApdu(0, 0xB0, 0, 0, le=65536, extended=True)),
    "case 3 extended": ("00D60000000001AA", CommandApdu(0, 0xD6, 0, 0, b"\xaa", extended=True)),
    "case 4 extended": ("00880000000001AA0000", CommandApdu(0, 0x88, 0, 0, b"\xaa", 65536, extended=True)),
}


@pytest.mark.parametrize(("raw", "apdu"), CASES.values(), ids=CASES)
def test_case(raw: str, apdu: CommandApdu) -> None:
    assert CommandApdu.decode(bytes.fromhex(raw)) == apdu
    assert apdu.encode() == bytes.fromhex(raw)


@pytest.mark.parametrize(
    "raw",
    [
        "", "00", "00A400",
        "00A40004023F",  # Lc says two bytes, one is there
        "00A40004013F0000",  # two bytes behind the data
        "00B000000001",  # half an extended Le
        "00D60000000002AA",  # extended Lc says two bytes
        "00D60000000001AA00",  # one byte of an extended Le
        "00D6000000000000",  # extended Lc of zero with something behind it
    ],
)  # fmt: skip
def test_not_an_apdu(raw: str) -> None:
    with pytest.raises(DecodeError):
        CommandApdu.decode(bytes.fromhex(raw))


def test_long_data_make_the_apdu_extended() -> None:
    apdu = CommandApdu(0, 0xD6, 0, 0, bytes(256))
    assert apdu.encode()[4:7] == b"\x00\x01\x00"
    assert CommandApdu.decode(apdu.encode()).data == bytes(256)


@pytest.mark.parametrize(
    "apdu",
    [
        CommandApdu(0, 0, 0, 0, bytes(65536)),
        CommandApdu(0, 0, 0, 0, le=0),
        CommandApdu(0, 0, 0, 0, le=65537),
    ],
    ids=["data", "le 0", "le 65537"],
)
def test_what_cannot_be_written(apdu: CommandApdu) -> None:
    with pytest.raises(EncodeError):
        apdu.encode()


def test_data_stay_out_of_the_repr() -> None:
    assert "1234" not in repr(CommandApdu(0, 0x20, 0, 1, b"1234\xff\xff\xff\xff"))


@pytest.mark.parametrize(
    ("cla", "family", "channel", "secure"),
    [
        (0x00, ClassFamily.INTERINDUSTRY, 0, False),
        (0x03, ClassFamily.INTERINDUSTRY, 3, False),
        (0x04, ClassFamily.INTERINDUSTRY, 0, True),
        (0x0C, ClassFamily.INTERINDUSTRY, 0, True),
        (0x40, ClassFamily.INTERINDUSTRY, 4, False),
        (0x4F, ClassFamily.INTERINDUSTRY, 19, False),
        (0x60, ClassFamily.INTERINDUSTRY, 4, True),
        (0x81, ClassFamily.ETSI, 1, False),
        (0x8C, ClassFamily.ETSI, 0, True),
        (0xC1, ClassFamily.ETSI, 5, False),
        (0xE1, ClassFamily.ETSI, 5, True),
        (0xA0, ClassFamily.GSM, 0, False),
    ],
)
def test_class_byte(cla: int, family: ClassFamily, channel: int, secure: bool) -> None:
    assert class_family(cla) is family
    assert (channel_of(cla), wants_secure_messaging(cla)) == (channel, secure)


@pytest.mark.parametrize("cla", [0x10, 0x20, 0x50, 0x70, 0x90, 0xA1, 0xB0, 0xD0, 0xF0, 0xFF])
def test_reserved_class_bytes(cla: int) -> None:
    assert class_family(cla) is ClassFamily.RFU
