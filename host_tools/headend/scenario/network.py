"""The whole network of a scenario in one process, for one subscriber: BSM, BSD/A, shop, and what happens when.

`Network` is what does not depend on the root of the subscriber's keys; `usim` and `csim` have the two kinds.
"""

from __future__ import annotations

from datetime import datetime
from functools import cached_property

from card.spec.bcast.tables import BcastTables
from host_tools.headend.bsda.station import Bsda
from host_tools.headend.bsm.back_end import BackEnd
from host_tools.headend.bsm.memory import MemoryRights
from host_tools.headend.bsm.ports import KeyStore, Rights, SubscriberKeys
from host_tools.headend.clock import NetworkClock
from host_tools.headend.errors import HeadendError
from host_tools.headend.scenario.goods import ScenarioGoods
from host_tools.headend.scenario.maker import make_bsda, make_bsm, make_keys, make_shop
from host_tools.headend.scenario.mint import BcastMint
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.on_air import ScenarioServices
from host_tools.headend.scenario.recorder import Recording, record_from
from host_tools.headend.scenario.schedule import Delivery, deliveries
from host_tools.headend.scenario.truth import Truth
from host_tools.headend.sealing import MikeySealer


class Network:
    """BSM and broadcast: what a terminal needs on the other side, whatever the keys of the subscriber come from."""

    def __init__(
        self,
        scenario: Scenario,
        imsi: str,
        identity: str,
        subscribers: SubscriberKeys,
        clock: NetworkClock,
        tables: BcastTables,
        services: ScenarioServices | None = None,
        keys: KeyStore | None = None,
        rights: Rights | None = None,
    ) -> None:
        """Take what is broadcast, for whom, who knows the subscribers' keys, the time, and the BCAST tables.

        `services` says what is on the air when; without it the broadcast begins now. Keys and rights are in memory
        unless it is said where.

        The subscriber, who is `identity` to the BSM, has the rights to what the scenario sends without a purchase.
        Raises `HeadendError` when the scenario is meant for another subscriber.
        """
        if imsi != scenario.network.imsi:
            raise HeadendError(f"scenario {scenario.name} is for IMSI {scenario.network.imsi}, not for {imsi}")
        keys = keys or make_keys(scenario)
        self.scenario = scenario
        self._on_air = services or ScenarioServices(scenario, clock.now())
        self.subscribers = subscribers
        self.rights: Rights = rights or MemoryRights()
        self.keys = keys
        self.bsm = make_bsm(scenario, keys, subscribers, clock, self._on_air)
        self.back_end = BackEnd(keys, MikeySealer)
        self._tables = tables
        self._mint = BcastMint(scenario, self.bsm, tables, self._on_air.timetable)
        self.goods = ScenarioGoods(scenario, self._mint, tables, self._on_air, clock)
        self.shop = make_shop(scenario, self._mint, self.goods, self.bsm, self.rights, clock)
        for delivery in self.deliveries:
            self.rights.grant(identity, delivery.key.service)

    @cached_property
    def bsda(self) -> Bsda:
        """Who sends the broadcast; it is made where one is wanted."""
        return make_bsda(self.scenario, self.back_end, self._tables)

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """Which SEK is to be delivered when, in this order."""
        return deliveries(self.scenario)

    def crypto_period(self, service: str, now: datetime) -> tuple[int, float, float]:
        """Return the MTK ID of now, how long its crypto period has run and how long it is (seconds)."""
        return self.bsm.mtk_id(service), *self._on_air.crypto_period(now)

    def periods_before(self, now: datetime) -> int:
        """Return how many crypto periods there were before that of now."""
        return self._on_air.periods_before(now)

    @property
    def lap(self) -> int | None:
        """After how many crypto periods MTK IDs begin again at 1; None where they never do."""
        return self._on_air.lap

    @property
    def truth(self) -> Truth:
        """What the recording holds, for checking a terminal."""
        return self._recording.truth

    def recording(self) -> Recording:
        """Return the recorded broadcast; it is made once."""
        return self._recording

    def ltkm(self, delivery: Delivery, b_tid: str) -> bytes:
        """Mint the LTKM of a delivery for the card behind `b_tid`. Raises `HeadendError`, also without a right."""
        service, identity = delivery.key.service, self.bsm.identity(b_tid)
        if not self.rights.may_receive(identity, service):
            raise HeadendError(f"{identity} has no right to {service}")
        if delivery.planned is not None:
            return self._mint.mint(delivery.planned, delivery.key, b_tid)
        return self.bsm.ltkm(service, b_tid, delivery.key)

    @cached_property
    def _recording(self) -> Recording:
        return record_from(self.scenario, self.bsda)
