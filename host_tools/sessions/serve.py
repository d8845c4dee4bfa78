"""The servers of a network on this computer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from host_tools.exchange.errors import TransportError
from host_tools.files.writing import told, write_whole
from host_tools.headend.bsm.ports import Services
from host_tools.headend.on_air.broadcast import AirPlan, position
from host_tools.headend.permissions_issuer.certificates import LabCa
from host_tools.headend.permissions_issuer.service import server_context
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.on_air import ScenarioServices
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.serving import Ports, Running, serve
from host_tools.headend.subscribers.personalised import subscriber_of
from host_tools.sessions.air import Aired, beside
from host_tools.sessions.errors import SessionError
from host_tools.sessions.events import BroadcastOnAir, Events, NetworkServed
from host_tools.sessions.keeping import MEMORY, Keeping, keeping
from host_tools.wire.system import SystemClock, SystemRng

if TYPE_CHECKING:
    import ssl

    from card import CardProfile


def serve_scenario(
    scenario: Scenario,
    profile: CardProfile,
    ports: Ports,
    network_file: Path | None,
    certificates: Path | None,
    events: Events,
    *,
    aired: Aired | None = None,
    kept: Keeping | None = None,
) -> None:
    """Serve until interrupted; `NetworkServed` tells where. With `aired` the scenario is broadcast, too, and announced.

    What `kept` says is by default in memory. Raises `SessionError`, `HeadendError`.
    """
    clock, rng, kept, tables = SystemClock(), SystemRng(), kept or Keeping(), profile.bcast.build_tables()
    started = clock.now()
    zn_tls = None if certificates is None else _certify(scenario, certificates)
    store = None if kept.db == MEMORY else kept.url(scenario)

    def announce(running: Running) -> None:
        if network_file is not None:
            write_whole(network_file, running.network.to_toml().encode())
        events.emit(NetworkServed(running.network, network_file, store))
        if aired is not None:
            events.emit(BroadcastOnAir(scenario, aired.plan))

    with ExitStack() as closing, _as_session_errors():
        parts = closing.enter_context(keeping(kept, scenario, profile, clock))
        began, services = started, None
        if aired is not None:
            plan, began = aired.plan, _began(aired.plan, scenario, parts.services, started)
            services = ScenarioServices(scenario, began, plan.speed, loop=plan.loop)
        with parts.books.transactions.transaction():
            # Challenges cannot be repeated: the card may have met those of an earlier run.
            network = UsimNetwork(
                scenario, subscriber_of(profile), clock, tables=tables, services=services, parts=parts, rng=rng
            )
        runs = () if aired is None else (beside(aired, began, network, clock, tables, events),)
        asyncio.run(serve(network, clock, rng, ports, announce, zn_tls=zn_tls, beside=runs))


def _began(plan: AirPlan, scenario: Scenario, stored: Services | None, started: datetime) -> datetime:
    """Return when a broadcast began: as its clock file says, or a store from before, unless it has ended; or now."""
    if plan.clock_file is not None or not isinstance(stored, ScenarioServices) or stored.began >= started:
        return plan.began(scenario, started)
    if plan.loop or position(stored.began, started, plan.speed) < scenario.duration:
        return stored.began
    return plan.began(scenario, started)


@contextmanager
def _as_session_errors() -> Iterator[None]:
    try:
        yield
    except TransportError as error:
        raise SessionError(f"{error}.") from None


def _certify(scenario: Scenario, folder: Path) -> ssl.SSLContext:
    """Write the certificate of a test authority and one for the BSM as client of Zn; return the server's context."""
    ca = LabCa(datetime.now(UTC))
    with told(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "ca.pem", ca.certificate)
    ca.certify_naf(scenario.network.bsm_fqdn).write(folder / "naf")
    return server_context(ca.certify_server([scenario.network.bsf_name]), ca.certificate)
