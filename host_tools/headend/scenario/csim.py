"""The network of a CSIM: no BSF, the registration key in its place."""

from __future__ import annotations

from card.spec.bcast.tables import BcastTables
from host_tools.headend.bsm.rk_home import RkHome
from host_tools.headend.clock import ManualClock, NetworkClock
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.network import Network
from host_tools.headend.seeded import Seeded, SeededRng
from host_tools.headend.subscribers.memory import MemorySubscribers
from host_tools.headend.subscribers.rk_subscriber import RkSubscriber


class CsimNetwork(Network):
    """The network of a CSIM. The same scenario and subscriber always behave the same."""

    def __init__(
        self, scenario: Scenario, subscriber: RkSubscriber, clock: NetworkClock | None = None, *, tables: BcastTables
    ) -> None:
        """Take what is broadcast, who may receive it, the time, and the card's tables. Raises `HeadendError`."""
        rng = SeededRng(Seeded(scenario.seed), "rk home")
        self.subscriber = subscriber
        self.home = RkHome(MemorySubscribers(rk_subscribers=[subscriber]), scenario.network.bsm_fqdn, rng)
        super().__init__(
            scenario, subscriber.imsi, subscriber.nai, self.home, clock or ManualClock(scenario.start), tables
        )
