from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.codec import bcd
from card.errors import DecodeError, EncodeError

DIGITS = st.text("0123456789")


@pytest.mark.parametrize(
    ("digits", "size", "packed"),
    [
        ("", 0, ""),
        ("", 2, "ffff"),
        ("1", 1, "f1"),
        ("12", 1, "21"),
        ("8988211000000123456", 10, "988812010000103254f6"),
    ],
)
def test_digits(digits: str, size: int, packed: str) -> None:
    assert bcd.encode_digits(digits, size).hex() == packed
    assert bcd.decode_digits(bytes.fromhex(packed)) == digits


@pytest.mark.parametrize(("digits", "size"), [("123", 1), ("1a", 1), ("-1", 1), ("١٢", 1), ("1 ", 1)])
def test_what_cannot_be_packed(digits: str, size: int) -> None:
    with pytest.raises(EncodeError):
        bcd.encode_digits(digits, size)


@pytest.mark.parametrize("packed", ["a0", "0b", "1f", "f121", "ff0f"])
def test_half_bytes_that_are_no_digits(packed: str) -> None:
    with pytest.raises(DecodeError):
        bcd.decode_digits(bytes.fromhex(packed))


@pytest.mark.parametrize(
    ("imsi", "packed"),
    [
        ("001010123456789", "080910101032547698"),
        ("00101012345678", "0801101010325476f8"),
        ("001010", "04011010f0ffffffff"),
        ("0010101", "0409101010ffffffff"),
    ],
)
def test_imsi(imsi: str, packed: str) -> None:
    assert bcd.encode_imsi(imsi).hex() == packed
    assert bcd.decode_imsi(bytes.fromhex(packed)) == imsi


@pytest.mark.parametrize("imsi", ["", "00101", "0010101234567890", "00101a"])
def test_imsi_that_cannot_be_packed(imsi: str) -> None:
    with pytest.raises(EncodeError):
        bcd.encode_imsi(imsi)


@pytest.mark.parametrize(
    "packed",
    [
        "",
        "0809101010325476",  # a byte short
        "000910101032547698",  # no length
        "090910101032547698",  # length beyond the file
        "080110101032547698",  # parity says even
        "080a10101032547698",  # another type of identity
        "08091010103254769a",  # no digit
        "040910101032547698",  # digits behind the length
        "ffffffffffffffffff",  # empty file
    ],
)
def test_imsi_that_is_malformed(packed: str) -> None:
    with pytest.raises(DecodeError):
        bcd.decode_imsi(bytes.fromhex(packed))


@pytest.mark.parametrize(
    ("mcc", "mnc", "packed"), [("001", "01", "00f110"), ("310", "410", "130014"), ("262", "02", "62f220")]
)
def test_plmn(mcc: str, mnc: str, packed: str) -> None:
    assert bcd.encode_plmn(mcc, mnc).hex() == packed
    assert bcd.decode_plmn(bytes.fromhex(packed)) == (mcc, mnc)


@pytest.mark.parametrize(("mcc", "mnc"), [("01", "01"), ("001", "1"), ("001", "0123"), ("00a", "01")])
def test_plmn_that_cannot_be_packed(mcc: str, mnc: str) -> None:
    with pytest.raises(EncodeError):
        bcd.encode_plmn(mcc, mnc)


@pytest.mark.parametrize("packed", ["", "00f1", "00f11000", "00ff10", "00f1f0", "ffffff", "a0f110"])
def test_plmn_that_is_malformed(packed: str) -> None:
    with pytest.raises(DecodeError):
        bcd.decode_plmn(bytes.fromhex(packed))


@given(st.text("0123456789", min_size=6, max_size=15))
def test_every_imsi_comes_back(imsi: str) -> None:
    assert bcd.decode_imsi(bcd.encode_imsi(imsi)) == imsi


@given(DIGITS, st.integers(0, 40))
def test_digits_come_back_or_do_not_fit(digits: str, size: int) -> None:
    if len(digits) > 2 * size:
        with pytest.raises(EncodeError):
            bcd.encode_digits(digits, size)
    else:
        assert bcd.decode_digits(bcd.encode_digits(digits, size)) == digits


@given(st.binary(max_size=10))
def test_any_bytes_are_digits_or_an_error(data: bytes) -> None:
    try:
        digits = bcd.decode_digits(data)
    except DecodeError:
        return
    assert bcd.encode_digits(digits, len(data)) == data


@given(st.binary(min_size=3, max_size=3))
def test_any_bytes_are_a_plmn_or_an_error(data: bytes) -> None:
    try:
        plmn = bcd.decode_plmn(data)
    except DecodeError:
        return
    assert bcd.encode_plmn(*plmn) == data
