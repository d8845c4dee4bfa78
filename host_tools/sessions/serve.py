"""The servers of a network on this computer."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from host_tools.exchange.errors import TransportError
from host_tools.files.writing import told, write_whole
from host_tools.headend.permissions_issuer.certificates import LabCa
from host_tools.headend.permissions_issuer.service import server_context
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.serving import Ports, Running, serve
from host_tools.headend.subscribers.personalised import subscriber_of
from host_tools.sessions.errors import SessionError
from host_tools.sessions.events import Events, NetworkServed
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
    kept: Keeping | None = None,
) -> None:
    """Serve until interrupted; `NetworkServed` tells where. What `kept` says is by default in memory.

    Raises `SessionError`, `HeadendError`.
    """
    clock, rng, kept = SystemClock(), SystemRng(), kept or Keeping()
    zn_tls = None if certificates is None else _certify(scenario, certificates)
    store = None if kept.db == MEMORY else kept.url(scenario)

    def announce(running: Running) -> None:
        if network_file is not None:
            write_whole(network_file, running.network.to_toml().encode())
        events.emit(NetworkServed(running.network, network_file, store))

    with keeping(kept, scenario, profile, clock) as parts:
        with parts.books.transactions.transaction():
            # Challenges cannot be repeated: the card may have met those of an earlier run.
            network = UsimNetwork(
                scenario, subscriber_of(profile), clock, tables=profile.bcast.build_tables(), parts=parts, rng=rng
            )
        try:
            asyncio.run(serve(network, clock, rng, ports, announce, zn_tls=zn_tls))
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
