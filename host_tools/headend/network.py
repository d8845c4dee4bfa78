"""The whole test network in one process: BSF, BSM and broadcast of one scenario for one subscriber."""

from __future__ import annotations

from functools import cached_property

from host_tools.headend.bsf import Bsf
from host_tools.headend.bsm import Bsm
from host_tools.headend.clock import ManualClock, NetworkClock
from host_tools.headend.errors import HeadendError
from host_tools.headend.recorder import Recording, record
from host_tools.headend.scenario import Scenario
from host_tools.headend.schedule import Delivery, deliveries
from host_tools.headend.seeded import Seeded, SeededRng
from host_tools.headend.subscriber import Subscriber
from host_tools.headend.truth import Truth


class TestNetwork:
    """What a terminal needs on the other side. The same scenario and subscriber always behave the same."""

    __test__ = False  # the name begins with Test, but pytest has nothing to collect here

    def __init__(self, scenario: Scenario, subscriber: Subscriber, clock: NetworkClock | None = None) -> None:
        """Take what is broadcast, who may receive it, and the time (by default standing still at the start).

        Raises `HeadendError` when the scenario is meant for another subscriber.
        """
        if subscriber.imsi != scenario.network.imsi:
            raise HeadendError(
                f"scenario {scenario.name} is for IMSI {scenario.network.imsi}, not for {subscriber.imsi}"
            )
        clock = clock or ManualClock(scenario.start)
        self.scenario = scenario
        self.subscriber = subscriber
        self.bsf = Bsf(scenario.network.bsf_name, subscriber, SeededRng(Seeded(scenario.seed), "bsf rand"), clock)
        self.bsm = Bsm(scenario, self.bsf, clock)

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
        return self.bsm.ltkm(delivery.key.service, b_tid, delivery.key)

    @cached_property
    def _recording(self) -> Recording:
        return record(self.scenario)
