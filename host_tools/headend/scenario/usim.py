"""The network of a USIM, with its BSF."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from card.spec.bcast.tables import BcastTables
from host_tools.exchange.ports import Rng
from host_tools.headend.bsf.server import Bsf
from host_tools.headend.bsm.any_keys import AnyKeys
from host_tools.headend.bsm.mbms_naf import MbmsNaf
from host_tools.headend.bsm.rk_home import RkHome
from host_tools.headend.clock import ManualClock, NetworkClock
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.network import Network
from host_tools.headend.scenario.on_air import ScenarioServices
from host_tools.headend.scenario.parts import Parts, memory_parts
from host_tools.headend.seeded import Seeded, SeededRng
from host_tools.headend.subscribers.memory import MemorySubscribers
from host_tools.headend.subscribers.subscriber import Subscriber


class UsimNetwork(Network):
    """The network of a USIM, with its BSF. The same scenario and subscriber always behave the same."""

    def __init__(
        self,
        scenario: Scenario,
        subscriber: Subscriber,
        clock: NetworkClock | None = None,
        session: str = "",
        *,
        tables: BcastTables,
        others: Iterable[Subscriber] = (),
        services: ScenarioServices | None = None,
        parts: Parts | None = None,
        rng: Rng | None = None,
    ) -> None:
        """Take what is broadcast, who may receive it, the time (by default standing still at the start) and the tables.

        Another `session` gives other GBA challenges, for a card that has met those of the first one. `others` may
        bootstrap and buy as well; nothing is sent to them unasked. `services` says what is on the air when. With
        `parts` everything is kept there, `subscriber` and all others among them, and CSIM subscribers are served, too;
        it is made within a transaction of theirs. `rng` gives challenges that cannot be repeated. Raises
        `HeadendError` when the scenario is meant for another subscriber.
        """
        others = tuple(others)
        clock = clock or ManualClock(scenario.start)
        self.subscriber = subscriber
        rng = rng or SeededRng(Seeded(scenario.seed), f"bsf rand {session}".rstrip())
        names = scenario.network
        if parts is None:
            settings = replace(subscriber.settings, plain_res=names.plain_res)
            parts = memory_parts(scenario, MemorySubscribers([subscriber.with_settings(settings), *others]))
        self.parts = parts
        rights = {names.bsm_fqdn: frozenset((names.bsm_fqdn.encode(),))}
        self.bsf = Bsf(names.bsf_name, parts.subscribers, parts.runs, rights, rng, clock)
        self.naf = MbmsNaf(self.bsf, names.bsm_fqdn, parts.muks)
        self.home = RkHome(parts.subscribers, names.bsm_fqdn, rng, parts.auth_keys)
        keys = AnyKeys(self.naf, self.home)
        on_air = services or parts.services
        super().__init__(
            scenario, subscriber.imsi, subscriber.impi, keys, clock, tables, on_air, parts.keys, parts.rights
        )
