"""Sees to it that a BSD/A in a process of its own has what it needs from the BSM, some crypto periods ahead."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta

from host_tools.exchange.messages.back_end import FinishedStkm, SekHandover, Stkms
from host_tools.headend.bsda.slots import StkmSlot
from host_tools.headend.clock import NetworkClock
from host_tools.headend.errors import HeadendError
from host_tools.headend.granting import as_key
from host_tools.headend.on_air.broadcast import OnAir
from host_tools.headend.on_air.remote import RemoteBsm
from host_tools.headend.on_air.told_rolls import as_roll
from host_tools.headend.scenario.model import Scenario, StkmBy

PERIODS_AHEAD = 4
_LOOKS_A_PERIOD = 4
_AGAIN = 0.2
_HANDED = 64
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_log = logging.getLogger(__name__)


class Supplier:
    """Fetches for one broadcast. `behind` counts rounds in which the BSM could not be reached, or refused."""

    def __init__(self, scenario: Scenario, on_air: OnAir, bsm: RemoteBsm, clock: NetworkClock) -> None:
        """Take what is broadcast, by whom, the BSM, and the time."""
        self._scenario = scenario
        self._on_air = on_air
        self._bsm = bsm
        self._clock = clock
        self._handed_over: dict[str, int] = {}
        self._is_behind = False
        self._handed: deque[SekHandover] = deque(maxlen=_HANDED)
        self.behind = 0

    def take(self, handover: SekHandover) -> None:
        """Take what the BSM says by itself; the next round goes by it, also where the BSM cannot be reached."""
        self._handed.append(handover)

    async def run(self) -> None:
        """Fetch until it is cancelled."""
        pause = self._scenario.stkm.crypto_period / 1000 / self._on_air.plan.speed / _LOOKS_A_PERIOD
        while True:
            await self.once()
            await asyncio.sleep(min(max(pause, _SHORTEST_PAUSE), _LONGEST_PAUSE))

    async def once(self) -> bool:
        """Fetch what is missing; tell whether all of it came. When the scenario is over, nothing is."""
        slots = list(self._coming())
        if not slots:
            return True
        try:
            await asyncio.to_thread(self._fetch, slots)
        except HeadendError as error:
            if not self._is_behind:
                _log.warning("the BSM gives nothing: %s", error)
            self.behind += 1
            self._is_behind = True
            return False
        if self._is_behind:
            _log.warning("the BSM is back")
        self._is_behind = False
        return True

    def _coming(self) -> Iterator[StkmSlot]:
        """Yield the STKMs of the periods to come, and of the one that is on."""
        period = self._scenario.stkm.crypto_period
        position = self._on_air.position(self._clock.now())
        begin = max(int(position) // period * period - self._scenario.stkm.lead, -self._scenario.stkm.lead)
        for slot in self._on_air.timetable.stkms(begin):
            if slot.at > position + PERIODS_AHEAD * period:
                return
            yield slot

    def _fetch(self, slots: list[StkmSlot]) -> None:
        """Fetch for these slots. Raises `HeadendError`."""
        bsda = self._on_air.bsda
        # They begin later than what is fetched now.
        rolls = self._on_air.timetable.rolls
        while self._handed:
            handed = self._handed.popleft()
            rolls.take([as_roll(handed.roll)])
            if handed.grant is not None:
                self._bsm.take(as_key(handed.grant))
        rolls.take(self._bsm.rolls())
        if self._scenario.stkm_by is StkmBy.BSM:
            self._bsm.offer((self._heard(slot), bsda.order(slot)) for slot in slots)
            return
        for service, term in {(slot.service.id, slot.key) for slot in slots}:
            self._bsm.fetch_sek(service, term.key_ids)
        for service in {slot.service.id for slot in slots}:
            self._hand_over(service, [slot for slot in slots if slot.service.id == service])

    def _hand_over(self, service: str, slots: list[StkmSlot]) -> None:
        """Give the BSM the STKMs that are new since the last time."""
        new = [slot for slot in slots if slot.copy == 0 and slot.at > self._handed_over.get(service, -(1 << 60))]
        if not new:
            return
        made = tuple(
            FinishedStkm(slot.counter, self._heard(slot), self._on_air.bsda.stkm(slot).datagram.payload) for slot in new
        )
        self._bsm.hand_over(Stkms(service, made))
        self._handed_over[service] = new[-1].at

    def _heard(self, slot: StkmSlot) -> datetime:
        return self._on_air.began + timedelta(milliseconds=slot.at / self._on_air.plan.speed)


async def supplied(supplier: Supplier, seconds: float) -> None:
    """Wait until everything needed at the begin is here, but no longer than so."""
    for _ in range(round(seconds / _AGAIN)):
        if await supplier.once():
            return
        await asyncio.sleep(_AGAIN)
