"""The service purse, a switch: audits show it, and the policies paid from it, only where it is on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from card.domain.bcast.bcast import Bcast
from tests.oracle.bcast_model import LtkmData, StkmData
from tests.oracle.bcast_wire import P1, X2
from tests.support.bcast import GROUP, KEY_DOMAIN, KEY_ID, SEK, BcastCard, objects

PAID = LtkmData(KEY_ID, SEK, 0, 99, 1, "live_ppt_service", cost=3, tokens=10)
SERVICE = X2.audit["service"]


@pytest.fixture
def it() -> BcastCard:
    """Return a card on the table set that has the purse, with 7 of 10 tokens left."""
    it = BcastCard.new(X2)
    assert it.update(it.ltkm(PAID).build())[0] == "9000"
    assert it.generate(it.stkm(StkmData(KEY_ID, SEK, 1, 1)).build())[0] == "9000"
    return it


def bcast_of(it: BcastCard) -> Bcast:
    found = it.card.card._context.applications["USIM"].bcast
    assert found is not None
    return found


def group_of(it: BcastCard) -> dict[int, bytes]:
    sw, value = it.operation("audit")
    assert sw == "9000"
    ((_, description),) = objects(value)
    return dict(objects(description))


def test_the_group_and_its_policy_show_the_purse(it: BcastCard) -> None:
    assert group_of(it)[SERVICE] == (7).to_bytes(4, "big")
    (policy,) = it.policies((KEY_DOMAIN, GROUP))
    assert (policy["cost"], policy["service"]) == (bytes.fromhex("00000003"), bytes.fromhex("00000007"))


def test_a_card_without_the_purse_does_not_show_one() -> None:
    it = BcastCard.new(P1)
    assert it.update(it.ltkm(replace(PAID, policy="live_ppt_key")).build())[0] == "9000"
    assert P1.audit["service"] not in group_of(it)


def test_the_tables_of_an_older_card_file_have_no_tag_for_it(it: BcastCard) -> None:
    bcast = bcast_of(it)
    older = {name: tag for name, tag in bcast.tables.audit_tags.items() if name != "service_purse"}
    bcast.tables = replace(bcast.tables, audit_tags=older)
    assert SERVICE not in group_of(it)
    (policy,) = it.policies((KEY_DOMAIN, GROUP))
    assert policy["cost"] == bytes.fromhex("00000003")
    assert "service" not in policy
