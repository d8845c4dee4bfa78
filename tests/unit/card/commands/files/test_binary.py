"""READ BINARY and UPDATE BINARY."""

from __future__ import annotations

import pytest

from tests.support import profiles
from tests.support.testcard import SELECT_USIM, TestCard

CONTENT = bytes(range(16))
SELECT_OPEN = f"00A4000C02{profiles.OPEN_TRANSPARENT:04X}"
SELECT_LINEAR = f"00A4000C02{profiles.OPEN_LINEAR:04X}"


@pytest.fixture
def card() -> TestCard:
    card = TestCard.new()
    card.ok(SELECT_OPEN)
    return card


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("00B0000000", CONTENT),
        ("00B0000010", CONTENT),
        ("00B0000404", CONTENT[4:8]),
        ("00B0000F01", CONTENT[15:]),
        ("00B0000A00", CONTENT[10:]),
        ("00B09B0004", CONTENT[:4]),  # SFI 27
        ("00B09B0800", CONTENT[8:]),
        ("00B00000000010", CONTENT),
        ("00B00000000000", CONTENT),
    ],
)
def test_read(card: TestCard, raw: str, expected: bytes) -> None:
    assert card.send(raw) == (expected.hex().upper(), "9000")


@pytest.mark.parametrize(("raw", "sw"), [("00B0000011", "6C10"), ("00B0000F02", "6C01"), ("00B00000FF", "6C10")])
def test_read_with_too_large_an_le(card: TestCard, raw: str, sw: str) -> None:
    assert card.send(raw) == ("", sw)


@pytest.mark.parametrize(
    ("sw", "raw"),
    [
        ("6700", "00B00000"),  # no Le
        ("6B00", "00B0001000"),
        ("6B00", "00B07FFF01"),
        ("6B00", "00B09B1001"),
        ("6A82", "00B0990001"),  # no such SFI
        ("6A86", "00B0800001"),  # SFI 0
        ("6A86", "00B09F0001"),  # SFI 31
        ("6A86", "00B0B50001"),
        ("6A86", "00B0D50001"),
        ("6981", "00B0960001"),  # SFI 22 is a record file
    ],
)
def test_read_refused(card: TestCard, sw: str, raw: str) -> None:
    card.refused(sw, raw)


def test_nothing_selected(card: TestCard) -> None:
    card.ok("00A4000C023F00")
    card.refused("6986", "00B0000000")
    card.refused("6986", "00D6000001AA")


def test_a_record_file(card: TestCard) -> None:
    card.ok(SELECT_LINEAR)
    card.refused("6981", "00B0000000")
    card.refused("6981", "00D6000001AA")


def test_an_sfi_makes_the_file_current(card: TestCard) -> None:
    card.ok("00A4000C023F00")
    card.ok("00B09B0000")
    assert card.ok("00B0000001") == b"\x00"


def test_an_sfi_that_is_refused_leaves_the_current_file(card: TestCard) -> None:
    card.ok(SELECT_USIM)
    card.ok("00A4000C026FAD")
    card.refused("6982", "00B0870001")  # SFI 07 is EF_IMSI, PIN1 not verified
    assert card.ok("00B0000001") == b"\x00"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("00D6000002AABB", b"\xaa\xbb" + CONTENT[2:]),
        ("00D6000F01AA", CONTENT[:15] + b"\xaa"),
        ("00D69B0401AA", CONTENT[:4] + b"\xaa" + CONTENT[5:]),
        ("00D60000000002AABB", b"\xaa\xbb" + CONTENT[2:]),
        ("00D6000010" + "EE" * 16, b"\xee" * 16),
    ],
)
def test_update(card: TestCard, raw: str, expected: bytes) -> None:
    assert card.send(raw) == ("", "9000")
    assert card.reopened().read(profiles.OPEN_TRANSPARENT) == expected


@pytest.mark.parametrize(
    ("sw", "raw"),
    [
        ("6700", "00D60000"),
        ("6700", "00D6000F02AAAA"),
        ("6700", "00D6000011" + "AA" * 17),
        ("6B00", "00D6001001AA"),
        ("6A82", "00D6990001AA"),
        ("6981", "00D6960001AA"),
    ],
)
def test_update_refused(card: TestCard, sw: str, raw: str) -> None:
    card.refused(sw, raw)


def test_reading_needs_the_right(card: TestCard) -> None:
    card.ok(SELECT_USIM)
    card.ok("00A4000C026F07")
    card.refused("6982", "00B0000000")
    card.verify(0x01, profiles.PIN1)
    assert len(card.ok("00B0000000")) == 9


def test_each_operation_needs_its_own_right(card: TestCard) -> None:
    card.ready()
    card.ok(f"00A4000C02{profiles.GUARDED:04X}")
    assert len(card.ok("00B0000000")) == 8
    card.refused("6982", "00D6000001AA")
    card.verify(0x81, profiles.PIN2)
    card.ok("00D6000001AA")
    card.ok("00A4000C026F07")
    card.refused("6982", "00D6000001AA")


def test_never_is_never(card: TestCard) -> None:
    card.unlocked()
    card.ok("00A4080C022FE2")
    card.refused("6982", "00D6000001AA")


def test_a_blocked_pin_no_longer_counts_as_verified(card: TestCard) -> None:
    card.ready()
    for left in ("63C2", "63C1", "63C0"):
        assert card.verify(0x01, "9999").sw == left
    card.ok("00A4000C026F07")
    card.refused("6982", "00B0000000")
