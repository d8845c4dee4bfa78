"""The policies of OMA BCAST in a CSIM: the same rules as in a USIM, step by step, under keys from RK."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.oracle.bcast_model import LtkmData, StkmData
from tests.oracle.bcast_wire import P1
from tests.support.bcast import KEY_ID, SEK, BcastCard, tek
from tests.support.bcast_csim import in_csim
from tests.support.csim import SELECT_CSIM, csim_profile
from tests.support.testcard import TestCard

COUNTED = LtkmData(KEY_ID, SEK, 0, 1000, 1, "live_teks", counter=2)
TEK_TAG, STATUS_TAG = 0x86, 0x80


def in_usim() -> BcastCard:
    return BcastCard.new(P1)


def stkm(number: int) -> StkmData:
    return StkmData(KEY_ID, SEK, number, number, extended=True)


@pytest.mark.parametrize("make", [in_usim, in_csim])
def test_counted_teks(make: Callable[[], BcastCard]) -> None:
    """Two TEKs are paid for: the third STKM gets a status and no key."""
    card = make()
    assert card.update(card.ltkm(COUNTED).build())[0] == "9000"
    for number in (1, 2):
        sw, found = card.generate(card.stkm(stkm(number)).build())
        assert (sw, found[TEK_TAG]) == ("9000", tek(number))
    sw, found = card.generate(card.stkm(stkm(3)).build())
    assert sw == "9000"
    assert TEK_TAG not in found
    assert found[STATUS_TAG] != b"\x00"


def test_credit_is_not_given_twice() -> None:
    """The LTKM that brought the credit is a replay when it comes again."""
    card = in_csim()
    message = card.ltkm(COUNTED).build()
    assert card.update(message)[0] == "9000"
    assert card.update(message)[0] not in ("9000", "6F00")


def test_credit_survives_a_power_cut() -> None:
    card = in_csim()
    assert card.update(card.ltkm(COUNTED).build())[0] == "9000"
    card.generate(card.stkm(stkm(1)).build())
    again = BcastCard(card.card.reopened(), card.network, P1)
    again.card.ok(SELECT_CSIM)
    assert again.card.verify(0x01, "1234").sw == "9000"
    assert again.generate(again.stkm(stkm(2)).build())[1][TEK_TAG] == tek(2)
    assert TEK_TAG not in again.generate(again.stkm(stkm(3)).build())[1]


def test_a_parental_pin_is_there_in_every_application() -> None:
    pin = '[bcast.parental_pin]\nvalue = "2580"\n'
    card = TestCard.new(csim_profile(tail=pin))
    card.ok(SELECT_CSIM)
    assert card.verify(0x82, "2580").sw == "9000"
