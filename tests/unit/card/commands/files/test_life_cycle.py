"""DEACTIVATE, ACTIVATE and TERMINATE: who may, and what is left of the file."""

from __future__ import annotations

import pytest

from tests.support.platform_cards import RECORDS, platform_card
from tests.support.profiles import ADM1
from tests.support.testcard import TestCard

FID = f"{RECORDS:04X}"


@pytest.fixture
def card() -> TestCard:
    made = platform_card()
    made.verify(0x0A, ADM1)
    return made


@pytest.mark.parametrize("target", ["000002" + FID, "080002" + FID, "090002" + FID])
def test_deactivated_and_back(card: TestCard, target: str) -> None:
    card.ok("0004" + target)
    card.refused("6984", "00B2010400")
    answer = card.exchange("00A4000402", FID)
    assert answer.sw == "6283"
    assert "8A0104" in answer.data
    card.ok("0044" + target)
    assert card.ok("00B2010400").hex() == "11223344"


def test_the_current_file_without_data(card: TestCard) -> None:
    card.refused("6986", "00040000")
    card.ok("00A4000C02", FID)
    card.ok("00040000")
    card.refused("6984", "00040000")
    card.ok("00440000")


def test_deactivation_survives_reset(card: TestCard) -> None:
    card.ok("0004000002", FID)
    again = card.reopened()
    assert again.exchange("00A4000402", FID).sw == "6283"


def test_a_view_shares_the_life_cycle(card: TestCard) -> None:
    card.ready()
    card.ok("00040800067FFF5F3A4F3A")
    assert card.send("00A4080C047F106F3A").sw == "6283"
    card.refused("6984", "00B2010400")


def test_without_the_right() -> None:
    card = platform_card()
    card.refused("6982", "0004000002", FID)
    card.refused("6982", "0044000002", FID)
    card.refused("6982", "00E8000002", FID)
    card.refused("6982", "00FE0000")


def test_terminated_for_good(card: TestCard) -> None:
    card.ok("00E8000002", FID)
    answer = card.exchange("00A4000402", FID)
    assert (answer.sw, "8A010C" in answer.data) == ("6285", True)
    card.refused("6984", "00B2010400")
    card.refused("6984", "00440000")
    assert card.reopened().exchange("00A4000402", FID).sw == "6285"


@pytest.mark.parametrize(
    ("sw", "command"),
    [
        ("6A82", "0004000002DEAD"),
        ("6981", "00040000023F00"),
        ("6981", "00E80000027F10"),
        ("6981", "00E6000002" + FID),
        ("6981", "00E60000023F00"),
        ("6982", "00E60000027F10"),
        ("6A86", "0004010002" + FID),
        ("6A86", "0004000102" + FID),
        ("6700", "00040800"),
        ("6700", "00040000032F7000"),
    ],
)
def test_refused(card: TestCard, sw: str, command: str) -> None:
    card.refused(sw, command)
