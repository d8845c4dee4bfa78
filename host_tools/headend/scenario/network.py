"""The whole test network in one process: BSF, BSM and broadcast of one scenario for one subscriber.

`Network` is what does not depend on the root of the subscriber's keys; `rk.py` has the network of a CSIM.
"""

from __future__ import annotations

from functools import cached_property

from card.spec.bcast_tables import BcastTables
from host_tools.headend.bsm.ports import SubscriberKeys
from host_tools.headend.bsm.server import Bsm
from host_tools.headend.clock import NetworkClock
from host_tools.headend.errors import HeadendError
from host_tools.headend.scenario.mint import BcastMint
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.recorder import Recording, record
from host_tools.headend.scenario.schedule import Delivery, deliveries
from host_tools.headend.scenario.truth import Truth
from host_tools.headend.shop import Shop


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
