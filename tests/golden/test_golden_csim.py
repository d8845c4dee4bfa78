"""Keys of a CSIM beside those of a USIM go on when a card of an older version is opened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.golden.opened import VERSIONS, Saved, opened, version_name
from tests.golden.past import session
from tests.support import csim
from tests.support.bcast_csim import csim_ready
from tests.support.mbms import TEK_AND_SALT
from tests.support.network import BM_SC, MSK_UPDATE, MTK_GENERATION, deliver, stkm
from tests.support.testcard import TestCard

pytestmark = pytest.mark.norm("74")


@pytest.fixture(params=VERSIONS, ids=version_name)
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Saved]:
    with opened("csim", request.param, tmp_path) as found:
        yield found


@pytest.fixture
def card(saved: Saved) -> TestCard:
    return saved.card


def test_the_usim_beside_it(card: TestCard) -> None:
    card.ready()
    message = session(1).ltkm(5)
    card.mbms_refused("9862", MSK_UPDATE, session(1).ltkm(4).build())
    card.mbms_refused("9865", MTK_GENERATION, stkm(message, 5).build())
    assert card.mbms(MTK_GENERATION, stkm(message, 6).build()) == TEK_AND_SALT
    deliver(card, message)


def test_an_msk_of_the_csim_goes_on(card: TestCard) -> None:
    csim_ready(card)
    card.mbms_refused("9865", MTK_GENERATION, stkm(csim.ltkm(6), 7).build())
    assert card.mbms(MTK_GENERATION, stkm(csim.ltkm(6), 8).build()) == TEK_AND_SALT


def test_an_ltkm_that_the_csim_took_is_not_new_again(saved: Saved) -> None:
    """Its IDi was the NAF_ID then, and the MAC covers it: nobody can send it under the name of today."""
    csim_ready(saved.card)
    sent = csim.ltkm(6) if saved.conformed else csim.ltkm(6, id_i=BM_SC)
    saved.card.mbms_refused("9862", MSK_UPDATE, sent.build())


def test_the_csim_takes_the_next_ltkm(card: TestCard) -> None:
    csim_ready(card)
    deliver(card, csim.ltkm(7))
    card.mbms_refused("9862", MSK_UPDATE, csim.ltkm(7).build())


def test_a_bak_serves_on(card: TestCard) -> None:
    csim_ready(card)
    assert csim.retrieve(card) == csim.sk_of(1)
