"""What chance may miss: every outcome of the BCAST rules in lock step, and books that notice fraud."""

from __future__ import annotations

from typing import Any

import pytest

from tests.oracle.bcast_model import POLICIES, LtkmData, StkmData
from tests.stateful.test_bcast_machine import GROUPS, MOST, BcastMachine, X2Machine
from tests.support.bcast import SEK
from tests.support.bcast_ledger import Ledger


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


@pytest.mark.parametrize("machine", [BcastMachine, X2Machine])
def test_a_tour_of_every_outcome(machine: type[BcastMachine]) -> None:
    machine.outcomes.clear()
    it = machine()
    live, many = (*GROUPS[0], b"\0\1"), (*GROUPS[0], b"\0\2")
    counted, past = (*GROUPS[2], b"\0\1"), (*GROUPS[2], b"\0\2")
    it.deliver(live, SEK, (1, 24), "odd")
    it.deliver(live, SEK, (1, 24), "live_free", tokens=1)
    for tokens in (MOST, 1):
        it.deliver(live, SEK, (5, 24), "live_ppt_user", cost=1, tokens=tokens, add=True)
    for policy in sorted(machine.wire.rules.numbers)[:6]:
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
    strict = 16 if it.model.rules.above_is_held else 1
    for pin, tries in ((None, 0), ("1111", 0), (None, 3)):
        it.control_parents(pin, (1, 9), unblock=False)
        for _ in range(tries):
            it.verify_pin("2222", 1)
        it.watch_at(live, SEK, 2, 8, rating=(1, strict))
    assert machine.outcomes >= set(machine.wire.status)
    it.audit_agrees()
    it.files_agree()
    it.books_balance()
