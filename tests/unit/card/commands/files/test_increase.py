"""INCREASE and cyclic files (TS 102 221 clause 11.1.8)."""

from __future__ import annotations

import pytest

from tests.support.platform_cards import COUNTER, platform_card
from tests.support.profiles import PIN1
from tests.support.testcard import TestCard


@pytest.fixture
def card() -> TestCard:
    made = platform_card()
    made.ok(f"00A4000C02{COUNTER:04X}")
    made.verify(0x01, PIN1)
    return made


def test_the_sum_is_a_new_first_record(card: TestCard) -> None:
    assert card.ok("8032000003 000002").hex() == "000007" + "000002"
    assert card.ok("00B2010400").hex() == "000007"
    assert card.ok("00B2020400").hex() == "000005", "the oldest record dropped out"


def test_a_shorter_amount_and_sfi(card: TestCard) -> None:
    card.ok("00A4000C022F05")
    assert card.ok("80328B0001 FF").hex() == "000104" + "ff"
    assert card.ok("00B2000400").hex() == "000104", "the new record is the current one"


def test_at_the_maximum_nothing_changes(card: TestCard) -> None:
    card.refused("9850", "8032000003 FFFFFB")
    assert card.ok("8032000003 FFFFFA").hex()[:6] == "ffffff"
    card.refused("9850", "8032000001 01")


@pytest.mark.parametrize(
    ("sw", "command"),
    [("6700", "80320000"), ("6A86", "8032000101 01"), ("6A86", "8032800001 01"), ("6E00", "0032000001 01")],
)
def test_refused(card: TestCard, sw: str, command: str) -> None:
    card.refused(sw, command)


def test_only_cyclic_files_and_only_with_the_right(card: TestCard) -> None:
    card.ok("00A4000C022F70")
    card.refused("6981", "8032000001 01")
    fresh = platform_card()
    fresh.refused("6982", "80328B0001 01")
