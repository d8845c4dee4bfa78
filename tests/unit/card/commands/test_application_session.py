"""What is forgotten when an application's session ends, said or unsaid (TS 102 221 clauses 8.5.2 and 9.4)."""

from __future__ import annotations

import pytest

from tests.support.platform_cards import platform_card
from tests.support.profiles import PIN2
from tests.support.testcard import SELECT_USIM, TestCard

SELECT_ISIM = "00A4040C07A0000000871004"
GUARDED_BY_PIN2 = ("00A4000C026F70", "00D6000001FF")


@pytest.fixture
def card() -> TestCard:
    made = platform_card().ready()
    assert made.verify(0x81, PIN2).sw == "9000"
    return made


def is_open(card: TestCard, cla: int = 0) -> bool:
    """Tell whether PIN 2 counts in the USIM that is current on a channel."""
    select, update = (bytes.fromhex(each) for each in GUARDED_BY_PIN2)
    card.ok(bytes((cla,)) + select[1:])
    return card.send(bytes((cla,)) + update[1:]).sw == "9000"


def test_another_application_ends_the_session(card: TestCard) -> None:
    assert is_open(card)
    card.ok(SELECT_ISIM)
    card.ok(SELECT_USIM)
    assert not is_open(card)
    assert card.send("00200001").sw == "63C3"
    card.ok("00B0000001")  # the PIN has a global reference: it stays verified


def test_the_same_application_again_is_a_reset_of_it(card: TestCard) -> None:
    card.ok(SELECT_USIM)
    assert not is_open(card)


@pytest.mark.parametrize("select", ["00A4000C027FFF", "00A4000C023F00", "00A4080C022F05"])
def test_selection_by_identifier_ends_nothing(card: TestCard, select: str) -> None:
    card.ok(select)
    card.ok("00A4000C027FFF")
    assert is_open(card)


def test_the_end_of_a_channel_is_the_end_of_its_session(card: TestCard) -> None:
    card.ok("0070000001")
    card.ok("01A4040C07A0000000871004")
    assert card.verify(0x01, "1234").sw == "9000"
    card.ok("01A4040C07A0000000871002")
    card.ok("00A4044C07A0000000871002")
    assert card.send("0120008108", b"5678".ljust(8, b"\xff")).sw == "9000"
    assert is_open(card, 1)
    card.ok("00708001")
    card.ok(SELECT_USIM)
    assert not is_open(card)


def test_a_second_channel_keeps_the_session(card: TestCard) -> None:
    card.ok("0070000001")
    card.ok("01A4040C07A0000000871002")
    card.ok(SELECT_ISIM)
    assert is_open(card, 1)


def test_a_refused_selection_forgets_nothing(card: TestCard) -> None:
    card.refused("6A82", "00A4040C07A0000000879999")
    assert is_open(card)
