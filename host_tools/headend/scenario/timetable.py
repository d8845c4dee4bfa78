"""When a broadcast that goes on sends what, from any moment on: the schedule of a scenario, once or again and again.

A scenario that is repeated has rounds of a whole number of crypto periods. In each round services roll their SEKs over
as in the first, and each round begins with a new SEK. Key Numbers, MTK IDs and T go on; before MTK IDs would exceed
their 16 bits they begin again at 1, with the new SEK of a round. Rated programmes come in every round. An LTKM that the
scenario plans is about the SEKs and STKMs of the round in which it is sent.

Everything follows from scenario and moment, so a BSD/A that was started again goes on where time has got to.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from host_tools.headend.bsda.slots import FRAME_MILLISECONDS, MediaSlot, StkmSlot
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.rolls import FIRST_ROLLED, Rolls
from host_tools.headend.scenario.schedule import slots, stkm_slots, timestamps
from host_tools.headend.scenario.seeded_keys import key_term, key_terms
from host_tools.headend.service_keys import LAST_MTK_ID, KeyTerm
from host_tools.headend.services import Service

_KEY_NUMBERS = FIRST_ROLLED - 1
_ROUNDS_KEPT = 4
_NO_END = 1 << 62


@dataclass(frozen=True)
class Timetable:
    """The times (milliseconds) of a scenario from the begin of its broadcast. With `loop` it has no end."""

    scenario: Scenario
    loop: bool = False
    rolls: Rolls = field(default_factory=Rolls)

    def mtk_id(self, at: int) -> int:
        """Return the MTK ID of the crypto period at a moment; after the end it is as if time went on."""
        return self._mtk_id(max(at, 0) // self.scenario.stkm.crypto_period)

    def terms(self, service: str, at: int) -> tuple[KeyTerm, ...]:
        """Return the SEKs of a service in order of use that are in use at a moment or in the round of it and the next.

        Once played, a scenario has the same SEKs all the time.
        """
        rolled = [roll.term for roll in self.rolls.of(service)]
        if not self.loop:
            return (*self._terms[service], *rolled)
        this = self._round(max(at, 0) // self.scenario.stkm.crypto_period)
        return (*(term for number in (this, this + 1) for term in self._terms_of(service, number)), *rolled)

    def scheduled(self, service: str, period: int) -> KeyTerm:
        """Return the SEK of a crypto period, counted from 0, by the scenario alone."""
        mtk_id = self._mtk_id(period)
        return next(term for term in self._terms_of(service, self._round(period)) if term.is_good_for(mtk_id))

    def round_at(self, at: int) -> int:
        """Return the round of a moment, counted from 0; what is not repeated has one."""
        return self._round(max(at, 0) // self.scenario.stkm.crypto_period) if self.loop else 0

    def planned_terms(self, service: str, number: int) -> tuple[KeyTerm, ...]:
        """Return the SEKs that the scenario plans for a service in a round, in order of use."""
        return self._terms_of(service, number)

    def round_of(self, service: str, msk_id: bytes, at: int) -> int | None:
        """Return the newest round, the one after that of this moment at most, in which a service plans this SEK."""
        key_number, planned = int.from_bytes(msk_id[2:], "big"), len(self._terms[service])
        if not 0 < key_number <= _KEY_NUMBERS:
            return None
        latest = self.round_at(at) + self.loop
        count = latest * planned + planned - 1  # SEKs from the first on to the last of that round
        place = count - (count - (key_number - 1)) % _KEY_NUMBERS
        return place // planned if place >= 0 else None

    def timestamps(self, service: str, begins: int, ends: int, number: int) -> tuple[int, int]:
        """Return first and last T of the STKMs for crypto periods that begin from `begins` to before `ends`.

        Both are milliseconds from the begin of a round, which has this number. It is for services of OMA BCAST, whose T
        runs on. An empty time gives the first above the last.
        """
        if not self.loop:
            return timestamps(self.scenario, service, begins, ends)
        period, before = self.scenario.stkm.crypto_period, number * self.scenario.periods
        first, last = (before + min(-(-bound // period), self.scenario.periods) for bound in (begins, ends))
        return first * self._repeats + 1, last * self._repeats

    def period_of(self, term: KeyTerm, at: int) -> tuple[int, int]:
        """Return the first and the last crypto period, from 0, of a SEK that was named about this moment or later."""
        lap = self.lap or _NO_END
        begins = max(at, 0) // self.scenario.stkm.crypto_period // lap * lap
        return begins + term.first_mtk_id - 1, begins + term.last_mtk_id - 1

    @property
    def lap(self) -> int | None:
        """How many crypto periods there are before MTK IDs begin again at 1; None where they never do."""
        return self._rounds_of_lap * self.scenario.periods if self.loop else None

    def slots(self, begin: int | None = None) -> Iterator[StkmSlot | MediaSlot]:
        """Yield what is broadcast from `begin` on, in order of time; at the same moment STKMs come first.

        Without `begin` that is the lead of the first STKM. STKMs of crypto periods that are over are left out.
        """
        first = -self.scenario.stkm.lead if begin is None else begin
        if not self.loop:
            return (self._rolled(slot) for slot in slots(self.scenario) if slot.at >= first)
        streams: list[Iterator[StkmSlot | MediaSlot]] = []
        for service in self.scenario.services:
            streams += [self._stkms(service, first), self._media(service, first)]
        return heapq.merge(*streams, key=lambda slot: (slot.at, isinstance(slot, MediaSlot)))

    def stkms(self, begin: int) -> Iterator[StkmSlot]:
        """Yield the STKMs alone, from `begin` on, in order of time."""
        if not self.loop:
            of_each = (stkm_slots(self.scenario, service.id) for service in self.scenario.services)
            every = heapq.merge(*of_each, key=lambda slot: slot.at)
            rolled = map(self._rolled, every)
            return (slot for slot in rolled if isinstance(slot, StkmSlot) and slot.at >= begin)
        streams = (self._stkms(service, begin) for service in self.scenario.services)
        return heapq.merge(*streams, key=lambda slot: slot.at)

    def next_rollover(self, service: str, at: int) -> tuple[int, KeyTerm] | None:
        """Return when, after a moment, a service next takes up another SEK, and that SEK; None for never."""
        period = self.scenario.stkm.crypto_period
        rolled = [(roll.begins * period, roll.term) for roll in self.rolls.of(service) if roll.begins * period > at]
        planned = self._next_scheduled(service, at)
        return min([*rolled, *([] if planned is None else [planned])], key=lambda found: found[0], default=None)

    def _next_scheduled(self, service: str, at: int) -> tuple[int, KeyTerm] | None:
        period = self.scenario.stkm.crypto_period
        if not self.loop:
            begins = ((term.first_mtk_id - 1) * period for term in self._terms[service])
            return next(
                ((when, term) for when, term in zip(begins, self._terms[service], strict=True) if when > at), None
            )
        this = self._round(max(at, 0) // period)
        for number in (this, this + 1):
            start = number * self.scenario.periods * period
            for plan, term in zip(self._terms[service], self._terms_of(service, number), strict=True):
                when = start + (plan.first_mtk_id - 1) * period
                if when > at:
                    return when, term
        return None

    def _stkms(self, service: Service, begin: int) -> Iterator[StkmSlot]:
        plan, plain = self.scenario.stkm, self.scenario.is_plain_mbms(service.id)
        repeats = self._repeats
        for period in range(max(begin, 0) // plan.crypto_period, _NO_END):
            key, mtk_id = self._term(service.id, period), self._mtk_id(period)
            first = period * plan.crypto_period - plan.lead
            for repeat in range(repeats):
                # Plain MBMS: T counts the MTK IDs of a SEK. OMA BCAST: T counts all STKMs.
                counter = mtk_id - key.first_mtk_id + 1 if plain else period * repeats + repeat + 1
                for copy in range(plan.copies):
                    at = first + repeat * plan.repeat + copy
                    if at >= begin:
                        yield StkmSlot(
                            at, service, key, mtk_id, counter, repeat * plan.copies + copy if plain else copy
                        )

    def _media(self, service: Service, begin: int) -> Iterator[MediaSlot]:
        for number in range(-(-max(begin, 0) // FRAME_MILLISECONDS), _NO_END):
            at = number * FRAME_MILLISECONDS
            period = at // self.scenario.stkm.crypto_period
            yield MediaSlot(at, service, self._term(service.id, period), self._mtk_id(period), number)

    @cached_property
    def _terms(self) -> dict[str, list[KeyTerm]]:
        found: dict[str, list[KeyTerm]] = {service.id: [] for service in self.scenario.services}
        for term in key_terms(self.scenario):
            found[term.service].append(term)
        return found

    @cached_property
    def _repeats(self) -> int:
        """How many STKMs of a crypto period there are, copies not counted."""
        plan = self.scenario.stkm
        return len(range(0, max(plan.crypto_period - plan.copies, 0) + 1, plan.repeat))

    @cached_property
    def _rounds_of_lap(self) -> int:
        """How many rounds there are before MTK IDs begin again."""
        return max(LAST_MTK_ID // self.scenario.periods, 1)

    def _round(self, period: int) -> int:
        return period // self.scenario.periods

    def _mtk_id(self, period: int) -> int:
        lap = self.lap
        return (period if lap is None else period % lap) + 1

    def _term(self, service: str, period: int) -> KeyTerm:
        return self.rolls.find(service, period) or self.scheduled(service, period)

    def _rolled(self, slot: StkmSlot | MediaSlot) -> StkmSlot | MediaSlot:
        """Return a slot of the schedule, under the SEK of an operator where there is one."""
        term = self.rolls.find(slot.service.id, slot.mtk_id - 1)
        if term is None:
            return slot
        if isinstance(slot, StkmSlot) and self.scenario.is_plain_mbms(slot.service.id):
            return replace(slot, key=term, counter=slot.mtk_id - term.first_mtk_id + 1)
        return replace(slot, key=term)

    def _terms_of(self, service: str, number: int) -> tuple[KeyTerm, ...]:
        """Return the SEKs of a service in a round, counted from 0."""
        kept = self._of_round.get((service, number))
        if kept is None:
            if len(self._of_round) > _ROUNDS_KEPT * len(self.scenario.services):
                self._of_round.clear()
            kept = self._of_round[service, number] = self._make_terms(service, number)
        return kept

    @cached_property
    def _of_round(self) -> dict[tuple[str, int], tuple[KeyTerm, ...]]:
        """The SEKs that were asked for last, of each service."""
        return {}

    def _make_terms(self, service: str, number: int) -> tuple[KeyTerm, ...]:
        plans, base = self._terms[service], number % self._rounds_of_lap * self.scenario.periods
        return tuple(
            key_term(
                self.scenario.service(service),
                (number * len(plans) + place) % _KEY_NUMBERS + 1,
                plan.first_mtk_id + base,
                plan.last_mtk_id + base,
            )
            for place, plan in enumerate(plans)
        )
