"""A disabled PIN may be replaced by the universal PIN (TS 102 221 clauses 9.4.1 and 11.1.11)."""

from __future__ import annotations

import pytest

from tests.support.platform_cards import platform_card
from tests.support.profiles import PIN1, UNIVERSAL
from tests.support.testcard import SELECT_USIM, TestCard, pin_bytes

REPLACE_BY_UNIVERSAL = "0026910108"


@pytest.fixture
def card() -> TestCard:
    made = platform_card()
    made.ok("0028001108", pin_bytes(UNIVERSAL))
    made.card.reset()
    made.ok(SELECT_USIM)
    made.ok("00A4000C026F07")
    return made


def usage(card: TestCard) -> str:
    fcp = card.ok("00A4040410", SELECT_USIM[10:]).hex().upper()
    return fcp[fcp.index("830111") - 6 : fcp.index("830111")]


def test_replaced(card: TestCard) -> None:
    card.ok(REPLACE_BY_UNIVERSAL, pin_bytes(PIN1))
    card.refused("6982", "00B0000009")
    assert card.verify(0x11, UNIVERSAL).sw == "9000"
    assert card.ok("00B0000009")
    assert usage(card) == "950108"


def test_not_replaced(card: TestCard) -> None:
    assert usage(card) == "950100"
    card.ok("00A4000C026F07")
    assert card.verify(0x11, UNIVERSAL).sw == "9000"
    card.refused("6982", "00B0000009")
    card.ok("0026000108", pin_bytes(PIN1))
    assert card.ok("00B0000009"), "disabled for good opens"


def test_enabling_ends_the_replacement(card: TestCard) -> None:
    card.ok(REPLACE_BY_UNIVERSAL, pin_bytes(PIN1))
    card.ok("0028000108", pin_bytes(PIN1))
    card.ok("0026000108", pin_bytes(PIN1))
    assert card.ok("00B0000009")


def test_the_universal_pin_outlives_the_application_session(card: TestCard) -> None:
    card.ok(REPLACE_BY_UNIVERSAL, pin_bytes(PIN1))
    assert card.verify(0x11, UNIVERSAL).sw == "9000"
    card.ok("00A4044C10", SELECT_USIM[10:])
    card.ok(SELECT_USIM)
    card.ok("00A4000C026F07")
    assert card.ok("00B0000009")


@pytest.mark.parametrize(
    ("sw", "header"),
    [("6A88", "0026810108"), ("6A88", "0026850108"), ("6A88", "00268A0108"), ("6A86", "0026110108")],
    ids=["itself", "a PIN that is not there", "an ADM key", "without the flag"],
)
def test_refused(card: TestCard, sw: str, header: str) -> None:
    card.refused(sw, header, pin_bytes(PIN1))
