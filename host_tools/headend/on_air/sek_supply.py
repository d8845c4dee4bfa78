"""The SEKs that a BSM has for a broadcast that goes on: it gets those to come, and forgets those that nobody can use.

A SEK that is over is kept for a while: a terminal that is behind may ask for it again, and LTKMs with it may be on
their way. With it go the orders of LTKMs that name it: they are dropped when their turn comes.
"""

from __future__ import annotations

from host_tools.headend.bsm.ports import KeyStore
from host_tools.headend.scenario.rolls import rolled_number
from host_tools.headend.scenario.seeded_keys import make_key
from host_tools.headend.scenario.timetable import Timetable

KEPT_FOR = 60.0
"""Seconds by the clock that a SEK is kept after its last crypto period; ours."""


def add_seks(keys: KeyStore, timetable: Timetable, at: int) -> None:
    """Give the BSM the SEKs that a broadcast needs soon, at a moment (milliseconds) of it; those it has stay."""
    scenario = timetable.scenario
    for service in scenario.services:
        known = {(key.key_domain_id, key.msk_id) for key in keys.seks(service.id)}
        for term in timetable.terms(service.id, at):
            if (term.key_domain_id, term.msk_id) not in known:
                keys.add_sek(make_key(scenario, term))


def forget_seks(keys: KeyStore, timetable: Timetable, at: int, kept: float) -> int:
    """Have the BSM forget SEKs of a scenario that is repeated; return how many went.

    They were over `kept` milliseconds before the moment `at` (both of the broadcast) and belong neither to this round
    nor to the next. Those of an operator stay, so that their numbers are not used twice, and those whose LTKMs a
    scenario plans: what is bought later names them.
    """
    scenario, gone = timetable.scenario, 0
    if not timetable.loop:
        return 0
    planned = {one.service for one in scenario.planned}
    last = (at - kept) // scenario.stkm.crypto_period
    for service in scenario.services:
        if service.id in planned:
            continue
        wanted = {(term.key_domain_id, term.msk_id) for term in timetable.terms(service.id, at)}
        for key in keys.seks(service.id):
            name = key.key_domain_id, key.msk_id
            if name in wanted or rolled_number(key) is not None or timetable.period_of(key.term, at)[1] >= last:
                continue
            keys.drop_sek(key)
            gone += 1
    return gone
