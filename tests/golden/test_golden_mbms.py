"""Keys of MBMS that a card of an older version held go on under the rules of TS 31.102 clause 7.1.1, nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.golden.opened import COUNTERS_REMEMBERED, VERSIONS, Saved, opened, version_name
from tests.golden.past import DELETED, DERIVED, IN_USE, KNOWN_LATE, OTHER_DOMAIN, OTHER_NAF, UA, WAITS, msk, session
from tests.oracle.mikey import Ltkm
from tests.support.mbms import DONE, EF_MSK, EF_MUK, EMPTY_MUK, TEK_AND_SALT, msk_entry, muk_entry
from tests.support.network import (
    MSK_UPDATE,
    MTK_GENERATION,
    bootstrap,
    deliver,
    derive_naf_keys,
    stkm,
)
from tests.support.testcard import Answer, TestCard

pytestmark = pytest.mark.norm("74")

FIRST, SECOND, THIRD = session(1), session(2), session(3)
ACCEPTED_OF_IN_USE = 7
"""The counter of the last MSK message that the card took from the BM-SC `IN_USE`."""


@pytest.fixture(params=VERSIONS, ids=version_name)
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Saved]:
    with opened("mbms", request.param, tmp_path) as found:
        found.card.ready()
        yield found


@pytest.fixture
def card(saved: Saved) -> TestCard:
    return saved.card


def key_of(group: int, number: int, **changes: Any) -> Ltkm:
    """Return the MSK message as far as MTK messages need it: all MSKs here have one value."""
    return FIRST.ltkm(msk_id=msk(group, number), **changes)


def traffic(card: TestCard, key: Ltkm, mtk: int, ts: int) -> Answer:
    """Send an MTK message."""
    return card.mbms(MTK_GENERATION, stkm(key, ts, mtk_id=mtk.to_bytes(2, "big")).build())


def refused(card: TestCard, key: Ltkm, mtk: int, ts: int, sw: str) -> None:
    card.mbms_refused(sw, MTK_GENERATION, stkm(key, ts, mtk_id=mtk.to_bytes(2, "big")).build())


def muks(card: TestCard) -> list[bytes]:
    """Return the records of EF_MUK that are in use."""
    records = [card.record(EF_MUK, number) for number in range(1, 7)]
    return sorted(record for record in records if record != EMPTY_MUK)


# --- MUKs


def test_ef_muk_shows_the_fqdn(card: TestCard) -> None:
    in_use, waits = muk_entry(IN_USE, FIRST.b_tid, ACCEPTED_OF_IN_USE), muk_entry(WAITS, FIRST.b_tid, 5)
    assert muks(card) == sorted([in_use, waits])


def test_a_muk_in_use_goes_on_with_its_counter(card: TestCard) -> None:
    last = FIRST.ltkm(ACCEPTED_OF_IN_USE, IN_USE + UA, msk_id=msk(5, 1))
    card.mbms_refused("9862", MSK_UPDATE, last.build())
    deliver(card, FIRST.ltkm(ACCEPTED_OF_IN_USE + 1, IN_USE + UA, msk_id=msk(5, 1)))
    assert muk_entry(IN_USE, FIRST.b_tid, ACCEPTED_OF_IN_USE + 1) in muks(card)


def test_a_message_with_the_idi_of_before_finds_no_muk(saved: Saved) -> None:
    """So nothing that was sent before, taken or not, is new now."""
    message = FIRST.ltkm(ACCEPTED_OF_IN_USE + 1, IN_USE + UA, id_i=IN_USE + UA)
    saved.card.mbms_refused("6985", MSK_UPDATE, message.build())


def test_a_naf_key_that_waits_is_taken_up(card: TestCard) -> None:
    assert card.mbms(MSK_UPDATE, FIRST.ltkm(6, WAITS + UA).build()) == Answer("", "9865")
    assert muk_entry(WAITS, SECOND.b_tid, 0) in muks(card)
    deliver(card, SECOND.ltkm(1, WAITS + UA, msk_id=msk(1, 2)))
    assert muk_entry(WAITS, SECOND.b_tid, 1) in muks(card)
    card.mbms_refused("6A88", MSK_UPDATE, FIRST.ltkm(7, WAITS + UA).build())


def test_a_naf_key_that_was_derived_and_not_used(card: TestCard) -> None:
    deliver(card, SECOND.ltkm(1, DERIVED + UA, msk_id=msk(5, 1)))
    assert muk_entry(DERIVED, SECOND.b_tid, 1) in muks(card)


def test_ks_serves_a_bm_sc_that_comes_later(card: TestCard) -> None:
    derive_naf_keys(card, KNOWN_LATE + UA)
    deliver(card, THIRD.ltkm(1, KNOWN_LATE + UA, msk_id=msk(5, 1)))


def test_a_muk_that_was_deleted_goes_on_when_it_is_derived_again(saved: Saved) -> None:
    """From the same RAND comes the same Ks. Cards of version 1 did not remember."""
    card = saved.card
    assert DELETED not in b"".join(muks(card))
    bootstrap(card, 4, number=1)
    derive_naf_keys(card, DELETED + UA)
    old = FIRST.ltkm(8, DELETED + UA, msk_id=msk(6, 1)).build()
    assert card.mbms(MSK_UPDATE, old) == (Answer("", "9862") if saved.version >= COUNTERS_REMEMBERED else DONE)
    deliver(card, FIRST.ltkm(9, DELETED + UA, msk_id=msk(6, 1)))


def test_a_key_of_another_naf_was_no_muk(saved: Saved) -> None:
    """Its MSK stays, as MSKs outlive their MUK."""
    assert OTHER_NAF[:-5] not in b"".join(muks(saved.card))
    expected = Answer("", "6A88") if saved.conformed else TEK_AND_SALT
    assert traffic(saved.card, key_of(7, 1), 1, 1) == expected


# --- MSKs


def test_ef_msk_shows_the_newest_first(card: TestCard) -> None:
    records = [card.record(EF_MSK, number) for number in range(1, 9)]
    assert msk_entry((msk(1, 2), 0), (msk(1, 1), 5)) in records
    assert msk_entry((msk(3, 3), 0), (msk(3, 2), 0)) in records
    assert msk_entry((msk(4, 2), 20), (msk(4, 1), 0)) in records
    assert msk_entry((msk(1, 1), 0), domain=OTHER_DOMAIN) in records


@pytest.mark.parametrize(
    ("mtk", "ts", "sw"), [(5, 5, "9865"), (5, 6, "9865"), (6, 5, "9865"), (4, 4, "9865"), (6, 6, "9000")]
)
def test_an_msk_that_was_heard_goes_on(card: TestCard, mtk: int, ts: int, sw: str) -> None:
    if sw == "9000":
        assert traffic(card, key_of(1, 1), mtk, ts) == TEK_AND_SALT
    else:
        refused(card, key_of(1, 1), mtk, ts, sw)


@pytest.mark.parametrize(("group", "number"), [(1, 2), (2, 1), (3, 2), (3, 3), (6, 1)])
def test_an_msk_that_was_not_heard_begins(card: TestCard, group: int, number: int) -> None:
    assert traffic(card, key_of(group, number), 1, 1) == TEK_AND_SALT
    refused(card, key_of(group, number), 1, 1, "9865")


def test_the_same_group_of_another_domain(card: TestCard) -> None:
    assert traffic(card, key_of(1, 1, key_domain_id=OTHER_DOMAIN), 1, 1) == TEK_AND_SALT


def test_limits_are_those_of_before(card: TestCard) -> None:
    """Written when both were inclusive; now the lower one is exclusive."""
    key = key_of(4, 1)
    refused(card, key, 4, 1, "9865")
    assert [traffic(card, key, mtk, mtk).sw for mtk in range(5, 10)] == ["9000"] * 5
    refused(card, key, 10, 10, "9865")


def test_mtk_ids_begin_anew_where_the_range_did(card: TestCard) -> None:
    """What was heard last lies outside the limits of now; the counter goes on all the same."""
    refused(card, key_of(4, 2), 1, 20, "9865")
    assert traffic(card, key_of(4, 2), 1, 21) == TEK_AND_SALT


def test_a_withdrawn_msk_gives_nothing(saved: Saved) -> None:
    """Cards of before dropped it; since then it stays as invalidated."""
    refused(saved.card, key_of(2, 2), 1, 1, "6985" if saved.conformed else "6A88")


def test_an_msk_that_was_pushed_out_goes_on_when_it_comes_back(saved: Saved) -> None:
    """Cards of version 1 did not remember."""
    card = saved.card
    refused(card, key_of(3, 1), 51, 51, "6A88")
    deliver(card, FIRST.ltkm(ACCEPTED_OF_IN_USE + 1, IN_USE + UA, msk_id=msk(3, 1)))
    old = traffic(card, key_of(3, 1), 49, 50)
    assert old == (Answer("", "9865") if saved.version >= COUNTERS_REMEMBERED else TEK_AND_SALT)
    assert traffic(card, key_of(3, 1), 51, 51) == TEK_AND_SALT
