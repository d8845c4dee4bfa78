"""What chance may miss: every outcome of the BCAST rules in lock step, and books that notice fraud."""

from __future__ import annotations

from typing import Any

import pytest

from card.domain.bcast.purse import Purses
from tests.oracle.bcast_model import POLICIES, LtkmData, Model, StkmData
from tests.oracle.bcast_parents import strictest
from tests.oracle.bcast_wire import P1, X2, Wire
from tests.support.bcast import KEY_DOMAIN, OTHER_DOMAIN, SEK
from tests.support.bcast_ledger import Ledger
from tests.support.bcast_walk import MOST, Tally, Walk

GROUPS = [(KEY_DOMAIN, b"\x00\x01"), (KEY_DOMAIN, b"\x00\x02"), (OTHER_DOMAIN, b"\x00\x01")]


@pytest.mark.parametrize(
    ("policy", "terms", "watched"),
    [
        ("live_ppt_user", {"cost": 2, "tokens": 3}, [(1, 1), (2, 1), (3, 2)]),
        ("live_ppv_user", {"cost": 4, "tokens": 3}, [(1, 1)]),
        ("live_teks", {"counter": 2}, [(1, 1), (2, 2), (3, 1)]),
        ("playback_teks", {"counter": 1}, [(1, 1), (1, 1), (2, 2)]),
        ("playback_counted", {"counter": 1}, [(4, 1), (5, 2), (3, 1)]),
    ],
)
def test_the_books_notice_one_tek_too_many(policy: str, terms: dict[str, Any], watched: list[tuple[int, int]]) -> None:
    ledger, key = Ledger(one_record=True), (*GROUPS[0], b"\0\1")
    ledger.accepted(LtkmData(key, SEK, 0, 24, 1, policy, **terms))
    direction = POLICIES[policy][0]
    for ts, mtk in watched[:-1]:
        ledger.left(StkmData(key, SEK, mtk, ts), direction)
        ledger.check()
    ts, mtk = watched[-1]
    ledger.left(StkmData(key, SEK, mtk, ts), direction)
    with pytest.raises(AssertionError, match="spent"):
        ledger.check()


def test_the_books_notice_what_two_pools_together_did_not_have() -> None:
    """Which one paid cannot be told from outside: each TEK cost the least of both."""
    ledger, key = Ledger(one_record=True), (*GROUPS[0], b"\0\1")
    ledger.accepted(LtkmData(key, SEK, 0, 24, 1, "live_ppt_user", cost=2, tokens=2))
    ledger.accepted(LtkmData(key, SEK, 0, 24, 2, "live_teks", counter=2))
    for ts in (1, 2, 3, 4):
        assert ledger.left(StkmData(key, SEK, ts, ts), "live")
        ledger.check()
    ledger.left(StkmData(key, SEK, 5, 5), "live")
    with pytest.raises(AssertionError, match="teks and user: 5 spent, 4 received"):
        ledger.check()


def test_what_was_paid_before_a_free_offer_came_is_still_owed() -> None:
    ledger, key = Ledger(one_record=True), (*GROUPS[0], b"\0\1")
    ledger.accepted(LtkmData(key, SEK, 0, 24, 1, "live_ppt_user", cost=2, tokens=1))
    assert ledger.left(StkmData(key, SEK, 1, 1), "live")
    ledger.accepted(LtkmData(key, SEK, 0, 24, 2, "live_free"))
    assert not ledger.left(StkmData(key, SEK, 2, 2), "live")
    with pytest.raises(AssertionError, match="2 spent, 1 received"):
        ledger.check()


@pytest.mark.parametrize("wire", [P1, X2], ids=lambda wire: str(wire.name))
def test_the_books_notice_kept_credit_that_is_given_twice(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """Card and model agree about it; only the books can know."""
    it = Walk(wire, Tally())
    it.keep_and_renew(GROUPS[0], 2)
    it.pair.ledger.check()
    monkeypatch.setattr(Purses, "take_kept_teks", lambda purses, group: purses.of_group(group).kept_teks)
    monkeypatch.setattr(Model, "_take_kept", lambda model, group: model.balance("kept", group))
    it.keep_and_renew(GROUPS[1], 2)
    it.pair.compare_purses(GROUPS)
    with pytest.raises(AssertionError, match="teks: 3 spent, 2 received"):
        it.pair.ledger.check()


@pytest.mark.parametrize("wire", [P1, X2], ids=lambda wire: str(wire.name))
def test_a_tour_of_every_outcome(wire: Wire) -> None:
    it = Walk(wire, Tally())
    live, many = (*GROUPS[0], b"\0\1"), (*GROUPS[0], b"\0\2")
    counted, past = (*GROUPS[2], b"\0\1"), (*GROUPS[2], b"\0\2")
    it.deliver(live, SEK, (1, 24), "odd")
    it.deliver(live, SEK, (1, 24), "live_free", tokens=1)
    for tokens in (MOST, 1):
        it.deliver(live, SEK, (5, 24), "live_ppt_user", cost=1, tokens=tokens, add=True)
    for policy in sorted(wire.rules.numbers)[:6]:
        it.deliver(many, SEK, (1, 24), policy)
    it.deliver(live, SEK, (5, 24), "live_ppt_user", cost=1, tokens=0)
    it.watch_at(live, SEK, 1, 6)
    it.deliver(live, SEK, (5, 24), "live_free")
    it.deliver(live, SEK, (5, 24), "playback_free")
    for ts in (7, 25, 2):
        it.watch_at(live, SEK, 1, ts)
    it.deliver(counted, SEK, (1, 24), "live_teks", counter=1)
    for ts in (1, 2, 1):
        it.watch_at(counted, SEK, ts, ts)
    it.deliver(past, SEK, (1, 24), "playback_counted", counter=1)
    for ts in (9, 8, 25):
        it.watch_at(past, SEK, ts, ts)
    it.send_ltkm(*it.delivered[-1])
    it.record((bytes(17), b"one"), past, 1, 24)
    it.delete(GROUPS[2])
    strict = strictest(1, turned=it.model.rules.turned_ratings)
    for pin, tries in ((None, 0), ("1111", 0), (None, 3)):
        it.control_parents(pin, (1, 9), unblock=False)
        for _ in range(tries):
            it.verify_pin("2222")
        it.watch_at(live, SEK, 2, 8, rating=(1, strict))
    assert it.tally.outcomes >= set(wire.status)
    it.keep_and_renew(GROUPS[0], 2)
    it.pair.compare_purses(GROUPS)
    it.pair.compare_files()
    it.pair.ledger.check()
