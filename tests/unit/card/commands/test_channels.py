"""Logical channels: own selection each, PINs for all (TS 102 221 clauses 11.1.17 and 11.1.9)."""

from __future__ import annotations

import pytest

from tests.support.platform_cards import platform_card
from tests.support.profiles import PIN1
from tests.support.testcard import SELECT_USIM, TestCard

OPEN = "0070000001"
EXTENDED = "80AA000004A9028100"


def cla(channel: int) -> str:
    return f"{channel:02X}" if channel < 4 else f"{0x40 | channel - 4:02X}"


@pytest.fixture
def card() -> TestCard:
    return platform_card()


def test_the_card_assigns_the_lowest_free_number(card: TestCard) -> None:
    assert [card.ok(OPEN) for _ in range(3)] == [b"\x01", b"\x02", b"\x03"]
    card.ok("00708002")
    assert card.ok(OPEN) == b"\x02"
    card.refused("6A81", OPEN)


def test_beyond_three_only_for_terminals_that_can(card: TestCard) -> None:
    card.ok(EXTENDED)
    assert [card.ok(OPEN)[0] for _ in range(19)] == list(range(1, 20))
    card.refused("6A81", OPEN)
    card.ok(cla(19) + "A4000C022FE2")
    assert card.ok(cla(19) + "B0000001") == b"\x98"
    card.ok(cla(19) + "708013")
    card.refused("6881", cla(19) + "A4000C023F00")


def test_the_terminal_may_name_the_channel(card: TestCard) -> None:
    card.ok("00700007")
    card.ok("43A4000C023F00")
    card.refused("6881", "00700007")


def test_each_channel_has_its_own_selection(card: TestCard) -> None:
    card.ok(OPEN)
    card.ok("01A4000C022FE2")
    card.ok("00A4000C022F05")
    assert card.ok("01B0000001") == b"\x98"
    assert card.ok("00B0000002") == b"en"
    card.ok("01A4040C07A0000000871004")
    card.ok(SELECT_USIM)
    assert card.ok("81F2000100")[2:9].hex() == "a0000000871004"
    assert card.ok("80F2000100")[2:9].hex() == "a0000000871002"


def test_record_pointers_are_apart(card: TestCard) -> None:
    card.ok(OPEN)
    for channel in ("00", "01"):
        card.ok(channel + "A4000C022F70")
    card.ok("00B2000204")
    card.ok("00B2000204")
    assert card.ok("01B2000204").hex() == "11223344"


def test_a_new_channel_begins_at_the_mf_or_where_its_opener_is(card: TestCard) -> None:
    card.ok(SELECT_USIM)
    card.ok(OPEN)
    card.refused("6A82", "01A4000C026F07")
    card.ok("01" + SELECT_USIM[2:])
    assert card.ok("0170000001") == b"\x02"
    card.ok("02A4000C026F07")


def test_a_verified_pin_counts_everywhere(card: TestCard) -> None:
    card.ok(OPEN)
    card.ok("01" + SELECT_USIM[2:])
    card.ok("01A4000C026F07")
    card.refused("6982", "01B0000009")
    assert card.verify(0x01, PIN1).sw == "9000"
    assert card.ok("01B0000009")[0] == 8


def test_tries_count_on_all_channels_together(card: TestCard) -> None:
    card.ok(OPEN)
    assert card.verify(0x01, "9999").sw == "63C2"
    assert card.send("0120000108", "39" * 4 + "FF" * 4).sw == "63C1"


def test_termination_of_the_last_application_forgets_its_pin(card: TestCard) -> None:
    card.ok(OPEN)
    card.ready()
    card.ok("01A4040C07A0000000871004")
    card.ok("00A4044C07A0000000871002")
    assert card.send("00200001").sw == "63C3"
    card.ok("01A4000C026F02")
    assert card.ok("01B0000001") == b"\x80", "the ISIM still counts on the PIN"
    card.ok("01A4044C07A0000000871004")
    card.ok("01A4040C07A0000000871004")
    card.ok("01A4000C026F02")
    card.refused("6982", "01B0000001")


def test_closing_the_own_channel(card: TestCard) -> None:
    card.ok(OPEN)
    card.ok("01708001")
    card.refused("6881", "01A4000C023F00")


@pytest.mark.parametrize(
    ("sw", "command"),
    [
        ("6881", "01A4000C023F00"),
        ("6881", "4070000001"),
        ("6881", "00708001"),
        ("6A86", "00708000"),
        ("6A86", "00708014"),
        ("6A86", "00700014"),
        ("6A86", "0070010001"),
        ("6700", "00700000"),
    ],
)
def test_refused(card: TestCard, sw: str, command: str) -> None:
    card.refused(sw, command)


def test_reset_closes_all_but_the_basic_channel(card: TestCard) -> None:
    card.ok(OPEN)
    card.card.reset()
    card.refused("6881", "01A4000C023F00")
    assert card.ok(OPEN) == b"\x01"
