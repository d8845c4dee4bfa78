"""GSM or USIM, one of them until reset (TS 31.101 clause 4.1, TS 31.122 clause 8.1.1)."""

from __future__ import annotations

import pytest

from card.codec.apdu import ClassFamily
from card.commands.table import ALL_ROWS
from tests.support.platform_cards import platform_card
from tests.support.profiles import ADM1, PIN1
from tests.support.testcard import SELECT_USIM, TestCard, pin_bytes

SELECT_ISIM = "00A4040C07A0000000871004"


@pytest.fixture
def card() -> TestCard:
    return platform_card()


@pytest.mark.parametrize("ins", sorted({row.ins for row in ALL_ROWS if ClassFamily.GSM in row.families} | {0x70, 0xFF}))
def test_within_a_usim_session_class_a0_is_not_supported(card: TestCard, ins: int) -> None:
    card.ok(SELECT_USIM)
    card.refused("6E00", bytes((0xA0, ins, 0, 0, 2)), "3F00")
    card.refused("6E00", bytes((0xA0, ins, 0, 0)))


def test_the_sequence_of_the_conformance_specification(card: TestCard) -> None:
    card.ok(SELECT_USIM)
    card.refused("6E00", "A0F2000016")
    card.ok("80F2000000")


def test_it_lasts_until_reset(card: TestCard) -> None:
    card.ok(SELECT_USIM)
    card.ok("00A4044C07A0000000871002")  # the session is ended
    card.ok("00A4000C023F00")
    card.refused("6E00", "A0A40000023F00")
    card.card.reset()
    assert card.send("A0A40000023F00").sw[:2] == "9F"


def test_a_usim_on_another_channel_counts(card: TestCard) -> None:
    card.ok("0070000001")
    card.ok("01A4040C07A0000000871002")
    card.refused("6E00", "A0A40000023F00")


def test_an_isim_is_no_usim(card: TestCard) -> None:
    card.ok(SELECT_ISIM)
    assert card.send("A0A40000023F00").sw[:2] == "9F"


@pytest.mark.parametrize("select", [SELECT_USIM, "00A40004027FFF", "00A4080C047FFF6F07", "00A4040C00"])
def test_within_a_gsm_session_no_usim_is_selected(card: TestCard, select: str) -> None:
    assert card.send("A0A40000023F00").sw[:2] == "9F"
    card.refused("6985", select)
    card.ok(SELECT_ISIM)
    card.refused("6985", SELECT_USIM)
    card.card.reset()
    card.ok(SELECT_USIM)


def test_no_other_command_leads_into_the_usim(card: TestCard) -> None:
    """DEACTIVATE and ACTIVATE FILE make their file current, too."""
    card.ok("A020000108", pin_bytes(PIN1))
    assert card.verify(0x0A, ADM1).sw == "9000"
    card.refused("6985", "00440800047FFF6F78")
    card.refused("6985", "00040800047FFF6F78")


def test_the_card_itself_stays_open_in_a_gsm_session(card: TestCard) -> None:
    card.ok("A020000108", pin_bytes(PIN1))
    card.ok("00A4080C022FE2")
    assert len(card.ok("00B000000A")) == 10
    card.refused("6985", "0088008122", "10" + "00" * 16 + "10" + "00" * 16)


@pytest.mark.parametrize("first", ["A0A4000002DEAD", "A0B0000001", "A0A40000033F0000"])
def test_what_class_a0_is_refused_begins_no_session(card: TestCard, first: str) -> None:
    card.send(first)
    card.ok(SELECT_USIM)
