"""What a broadcast has beside the servers of its network: announcement, back end, STKMs to ask for, SEKs at hand.

The broadcast itself may be here, too, or in a BSD/A of its own, which then comes over the back end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from host_tools.exchange.http import HttpRequest
from host_tools.exchange.procedures import ANNOUNCEMENT, KEY_GRANT, STKM_HANDOVER, STKM_REQUEST, TEK_OFFER
from host_tools.exchange.transport import Server
from host_tools.guide.announce import Document, Offer
from host_tools.headend.bsm.ports import KeyStore
from host_tools.headend.catalogue.items import Waiting
from host_tools.headend.clock import NetworkClock
from host_tools.headend.http.back_end import BackEndServer
from host_tools.headend.http.guide import GuideServer
from host_tools.headend.http.stkm_shelf import StkmShelf
from host_tools.headend.on_air.announcing import announced, announcement
from host_tools.headend.on_air.broadcast import AirPlan, OnAir, position
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.seeded_keys import make_key
from host_tools.headend.scenario.timetable import Timetable
from host_tools.wire.metrics import Metric

_LONGEST_WAIT = 20.0  # seconds that a request waits for the next STKM
_LOOK = 0.05


def add_seks(keys: KeyStore, timetable: Timetable, at: int) -> None:
    """Give the BSM the SEKs that a broadcast needs soon, at a moment (milliseconds) of it; those it has stay."""
    scenario = timetable.scenario
    for service in scenario.services:
        known = {(key.key_domain_id, key.msk_id) for key in keys.seks(service.id)}
        for term in timetable.terms(service.id, at):
            if (term.key_domain_id, term.msk_id) not in known:
                keys.add_sek(make_key(scenario, term))


@dataclass(frozen=True, slots=True)
class Names:
    """Under which serviceID each service is registered, and as what it is sold, both by its name in the scenario.

    `waiting` is how long terminals wait before they ask for keys.
    """

    service_ids: Mapping[str, str]
    offers: Mapping[str, Offer]
    waiting: Waiting | None = None


class AirBeside:
    """A broadcast beside the servers. Its `documents` are the announcement."""

    def __init__(
        self,
        scenario: Scenario,
        plan: AirPlan,
        began: datetime,
        keys: KeyStore,
        clock: NetworkClock,
        names: Names,
        shelf: StkmShelf,
        on_air: OnAir | None = None,
        back_end: BackEndServer | None = None,
    ) -> None:
        """Take what is broadcast how and since when, the keys of the BSM, the time, and what services are called.

        `shelf` has the STKMs that terminals ask for. `on_air` is the broadcast where it is here, `back_end` answers a
        BSD/A elsewhere. Raises `EncodeError`, `HeadendError`.
        """
        self._plan = plan
        self._began = began
        self._keys = keys
        self._clock = clock
        self._shelf = shelf
        self._on_air = on_air
        self._back_end = back_end
        self._timetable = Timetable(scenario, plan.loop)
        self._timer: asyncio.TimerHandle | None = None
        self._period = scenario.stkm.crypto_period / 1000 / plan.speed
        described = announced(scenario, plan.targets(scenario)[0], names.service_ids, names.offers, names.waiting)
        by_name = dict(zip((service.id for service in scenario.services), described, strict=True))
        self.documents: tuple[Document, ...] = tuple(announcement(by_name))
        self._guide = GuideServer(self.documents)

    @property
    def paths(self) -> Mapping[str, Server]:
        """What answers on the BSM's port."""
        paths: dict[str, Server] = {ANNOUNCEMENT.tail: self._guide, STKM_REQUEST.tail: self._shelf}
        if self._back_end is not None:
            paths |= {one.tail: self._back_end for one in (TEK_OFFER, KEY_GRANT, STKM_HANDOVER)}
        return paths

    async def wait(self, request: HttpRequest) -> None:
        """Let one who asks for the next STKM wait for it."""
        for _ in range(round(_LONGEST_WAIT / _LOOK)):
            if not self._shelf.has_nothing_new(request):
                return
            await asyncio.sleep(_LOOK)

    def start(self) -> None:
        """Begin to send, where the broadcast is here."""
        self._follow()
        if self._on_air is not None:
            self._on_air.start(self._clock.now())

    def close(self) -> None:
        """Send nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._on_air is not None:
            self._on_air.close()

    def metrics(self) -> Iterator[Metric]:
        """Return what the broadcast counts."""
        if self._on_air is not None:
            yield from self._on_air.metrics()
        back_end = self._back_end
        if back_end is not None:
            yield Metric(
                "bcast_uicc_back_end_refused_total", "Requests without the MAC.", lambda: [("", back_end.refused)]
            )

    def defects(self) -> int:
        """Return how many exceptions nobody expected."""
        others = 0 if self._on_air is None else self._on_air.defects()
        others += 0 if self._back_end is None else self._back_end.defects
        return others + self._guide.defects + self._shelf.defects

    def _follow(self) -> None:
        """See to it, in every crypto period, that the BSM has the SEKs to come."""
        at = position(self._began, self._clock.now(), self._plan.speed)
        add_seks(self._keys, self._timetable, round(at))
        self._timer = asyncio.get_running_loop().call_later(self._period, self._follow)
