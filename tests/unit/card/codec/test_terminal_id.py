"""Terminal_ID as a person writes it, and in octets (TS 33.110 clause 3.1, TS 24.008 clause 10.5.1.4)."""

from __future__ import annotations

import pytest

from card.codec.terminal_id import encode_imei, parse_terminal_id


def test_an_imei_is_a_mobile_identity_of_ten_octets() -> None:
    assert encode_imei("490154203237518").hex() == "17084a09512430325781"
    assert parse_terminal_id("490154203237518") == encode_imei("490154203237518")


def test_octets_are_taken_as_they_are() -> None:
    assert parse_terminal_id("0x4a09512430325781").hex() == "4a09512430325781"
    assert parse_terminal_id("0xFF") == b"\xff"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "49015420323751",
        "4901542032375180",
        "49015420323751A",
        "0x",
        "0x1",
        "4a09",
        f"0x{'00' * 11}",
        "4" * 14 + "\N{ARABIC-INDIC DIGIT FOUR}",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="15 digits of an IMEI"):
        parse_terminal_id(text)
