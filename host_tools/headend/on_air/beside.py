"""A broadcast beside the servers of its network: announced on the BSM's port, with its SEKs at hand there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

from host_tools.exchange.procedures import ANNOUNCEMENT
from host_tools.exchange.transport import Server
from host_tools.guide.announce import Document, Offer
from host_tools.headend.bsm.ports import KeyStore
from host_tools.headend.clock import NetworkClock
from host_tools.headend.http.guide import GuideServer
from host_tools.headend.on_air.announcing import announced, announcement
from host_tools.headend.on_air.broadcast import OnAir
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.seeded_keys import make_key
from host_tools.headend.scenario.timetable import Timetable
from host_tools.wire.metrics import Metric


def add_seks(keys: KeyStore, timetable: Timetable, at: int) -> None:
    """Give the BSM the SEKs that a broadcast needs soon, at a moment (milliseconds) of it; those it has stay."""
    scenario = timetable.scenario
    for service in scenario.services:
        known = {(key.key_domain_id, key.msk_id) for key in keys.seks(service.id)}
        for term in timetable.terms(service.id, at):
            if (term.key_domain_id, term.msk_id) not in known:
                keys.add_sek(make_key(scenario, term))


class AirBeside:
    """A broadcast that runs beside the servers."""

    def __init__(
        self,
        scenario: Scenario,
        on_air: OnAir,
        keys: KeyStore,
        clock: NetworkClock,
        service_ids: Mapping[str, str],
        offers: Mapping[str, Offer],
    ) -> None:
        """Take the broadcast, the keys of the BSM, the time, and under which names services are registered and sold.

        `service_ids` has the serviceID of each service by its name. Raises `EncodeError`.
        """
        self._on_air = on_air
        self._keys = keys
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None
        self._period = scenario.stkm.crypto_period / 1000 / on_air.plan.speed
        described = announced(scenario, on_air.targets[0], service_ids, offers)
        by_name = dict(zip((service.id for service in scenario.services), described, strict=True))
        self.documents: tuple[Document, ...] = tuple(announcement(by_name))
        self._guide = GuideServer(self.documents)

    @property
    def paths(self) -> Mapping[str, Server]:
        """The announcement, on the BSM's port."""
        return {ANNOUNCEMENT.tail: self._guide}

    def start(self) -> None:
        """Begin to send."""
        self._follow()
        self._on_air.start(self._clock.now())

    def close(self) -> None:
        """Send nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        self._on_air.close()

    def metrics(self) -> Iterator[Metric]:
        """Return what the broadcast counts."""
        return self._on_air.metrics()

    def defects(self) -> int:
        """Return how many exceptions nobody expected."""
        return self._on_air.defects() + self._guide.defects

    def _follow(self) -> None:
        """See to it, in every crypto period, that the BSM has the SEKs to come."""
        add_seks(self._keys, self._on_air.timetable, round(self._on_air.position(self._clock.now())))
        self._timer = asyncio.get_running_loop().call_later(self._period, self._follow)
