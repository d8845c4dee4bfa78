"""SEARCH RECORD in its forms (TS 102 221 clause 11.1.7)."""

from __future__ import annotations

import pytest

from tests.support.platform_cards import RECORDS, platform_card
from tests.support.testcard import TestCard


@pytest.fixture
def card() -> TestCard:
    made = platform_card()
    made.ok(f"00A4000C02{RECORDS:04X}")
    return made


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("00A2010402 3344", "010203"),
        ("00A2020402 3344", "0203"),
        ("00A2040502 3344", "030201"),
        ("00A2020502 3344", "0201"),
        ("00A2015401 44", "01020304"),
    ],
)
def test_simple(card: TestCard, command: str, found: str) -> None:
    assert card.ok(command).hex().upper() == found


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ("04023344", "0103"),  # from offset 2 on
        ("04003344", "010203"),
        ("0C223344", "0102"),  # after the first 22
        ("0CAA33", "03"),
        ("05023344", "0301"),
    ],
)
def test_enhanced(card: TestCard, data: str, found: str) -> None:
    p1 = "04" if data.startswith("05") else "01"
    assert card.ok(f"00A2{p1}06", f"{len(data) // 2:02X}", data).hex().upper() == found


def test_enhanced_from_the_record_beside_the_current_one(card: TestCard) -> None:
    card.ok("00A2020402 3344")
    assert card.ok("00A2000604 06003344") == b"\x03", "forward from the next record"
    assert card.ok("00A2000604 07003344") == b"\x02\x01", "backward from the previous record"


def test_the_first_match_becomes_the_current_record(card: TestCard) -> None:
    card.ok("00A2010402 AA33")
    assert card.ok("00B2000400") == bytes.fromhex("33AA3344")


def test_by_sfi_from_another_file(card: TestCard) -> None:
    card.ok("00A4000C022F05")
    assert card.ok("00A2015402 3344") == b"\x01\x02\x03"


def test_nothing_found(card: TestCard) -> None:
    card.refused("6282", "00A2010402 7777")


@pytest.mark.parametrize(
    ("sw", "command"),
    [
        ("6700", "00A2010400"),
        ("6700", "00A20104 05 1122334455"),
        ("6700", "00A20106 02 0400"),
        ("6A80", "00A20106 03 010011"),
        ("6A80", "00A20106 03 140011"),
        ("6A83", "00A20504 01 11"),
        ("6A83", "00A20004 01 11"),
        ("6A83", "00A20005 01 11"),
        ("6A83", "00A20006 03 060011"),
        ("6A83", "00A20006 03 070011"),
        ("6A86", "00A20107 01 11"),
        ("6A86", "00A2FF04 01 11"),
    ],
)
def test_refused(card: TestCard, sw: str, command: str) -> None:
    card.refused(sw, command)


def test_only_record_files_and_only_with_the_right(card: TestCard) -> None:
    card.ok("00A4000C022FE2")
    card.refused("6981", "00A2010401 89")
    card.ok("00A4040C07A0000000871002")
    card.ok("00A4000C026F3C")
    card.refused("6982", "00A2010401 00")
