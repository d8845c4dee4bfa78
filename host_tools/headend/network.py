"""The whole test network in one process: BSF, BSM and broadcast of one scenario for one subscriber.

`Network` is what does not depend on the root of the subscriber's keys; `rk.py` has the network of a CSIM.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from card.spec.bcast.tables import BcastTables
from host_tools.headend.bcast_ltkm import BcastMint
from host_tools.headend.bcast_shop import Shop
from host_tools.headend.bsf import Bsf
from host_tools.headend.bsm import Bsm, SubscriberKeys
from host_tools.headend.clock import ManualClock, NetworkClock
from host_tools.headend.errors import HeadendError
from host_tools.headend.gba_settings import UICC_BASED_MBMS
from host_tools.headend.mbms_naf import MbmsNaf
from host_tools.headend.recorder import Recording, record
from host_tools.headend.scenario import Scenario
from host_tools.headend.schedule import Delivery, deliveries
from host_tools.headend.seeded import Seeded, SeededRng
from host_tools.headend.subscriber import Subscriber
from host_tools.headend.truth import Truth


class Network:
    """BSM and broadcast: what a terminal needs on the other side, whatever the keys of the subscriber come from."""

    def __init__(
        self,
        scenario: Scenario,
        imsi: str,
        subscribers: SubscriberKeys,
        clock: NetworkClock,
        tables: BcastTables,
    ) -> None:
        """Take what is broadcast, for whom, who knows the subscriber's keys, the time, and the BCAST tables.

        Raises `HeadendError` when the scenario is meant for another subscriber.
        """
        if imsi != scenario.network.imsi:
            raise HeadendError(f"scenario {scenario.name} is for IMSI {scenario.network.imsi}, not for {imsi}")
        self.scenario = scenario
        self.subscribers = subscribers
        self.bsm = Bsm(scenario, subscribers, clock)
        self._tables = tables
        self._mint = BcastMint(scenario, self.bsm, tables)
        self.shop = Shop(scenario, self._mint)

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """Which SEK is to be delivered when, in this order."""
        return deliveries(self.scenario)

    @property
    def truth(self) -> Truth:
        """What the recording holds, for checking a terminal."""
        return self._recording.truth

    def recording(self) -> Recording:
        """Return the recorded broadcast; it is made once."""
        return self._recording

    def ltkm(self, delivery: Delivery, b_tid: str) -> bytes:
        """Mint the LTKM of a delivery for the card behind `b_tid`. Raises `HeadendError`."""
        if delivery.planned is not None:
            return self._mint.mint(delivery.planned, delivery.key, b_tid)
        return self.bsm.ltkm(delivery.key.service, b_tid, delivery.key)

    @cached_property
    def _recording(self) -> Recording:
        return record(self.scenario, tables=self._tables)


class TestNetwork(Network):
    """The network of a USIM, with its BSF. The same scenario and subscriber always behave the same."""

    __test__ = False  # the name begins with Test, but pytest has nothing to collect here

    def __init__(
        self,
        scenario: Scenario,
        subscriber: Subscriber,
        clock: NetworkClock | None = None,
        session: str = "",
        *,
        tables: BcastTables,
    ) -> None:
        """Take what is broadcast, who may receive it, the time (by default standing still at the start) and the tables.

        Another `session` gives other GBA challenges, for a card that has met those of the first one. Raises
        `HeadendError` when the scenario is meant for another subscriber.
        """
        clock = clock or ManualClock(scenario.start)
        self.subscriber = subscriber
        rng = SeededRng(Seeded(scenario.seed), f"bsf rand {session}".rstrip())
        names = scenario.network
        settings = replace(UICC_BASED_MBMS, plain_res=names.plain_res)
        rights = {names.bsm_fqdn: frozenset((names.bsm_fqdn.encode(),))}
        self.bsf = Bsf(names.bsf_name, subscriber, settings, rights, rng, clock)
        self.naf = MbmsNaf(self.bsf, names.bsm_fqdn)
        super().__init__(scenario, subscriber.imsi, self.naf, clock, tables)
