"""The servers of a network on this computer."""

from __future__ import annotations

import asyncio
import secrets
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
from host_tools.sessions.sold import Sold
from host_tools.wire.system import SystemClock, SystemRng

if TYPE_CHECKING:
    import ssl

    from card import CardProfile

_TERMINAL = "bcast-uicc"
"""The name in the certificate of the terminal."""


def serve_scenario(
    scenario: Scenario,
    profile: CardProfile,
    ports: Ports,
    network_file: Path | None,
    certificates: Path | None,
    events: Events,
    *,
    sold: Sold | None = None,
) -> None:
    """Serve until interrupted; `NetworkServed` tells where. Raises `SessionError`, `HeadendError`."""
    sold = sold or Sold()
    catalogue = sold.read(scenario)
    clock = SystemClock()
    # A fresh session: the card may have met the challenges of an earlier run.
    network = UsimNetwork(
        scenario, subscriber_of(profile), clock, secrets.token_hex(8), tables=profile.bcast.build_tables()
    )
    zn_tls, ua_tls = (None, None) if certificates is None else _certify(scenario, certificates)

    def announce(running: Running) -> None:
        if network_file is not None:
            write_whole(network_file, running.network.to_toml().encode())
        events.emit(NetworkServed(running.network, network_file))

    try:
        asyncio.run(
            serve(
                network,
                clock,
                SystemRng(),
                ports,
                announce,
                zn_tls=zn_tls,
                ua_tls=ua_tls,
                catalogue=catalogue,
                client_ids=sold.rule,
            )
        )
    except TransportError as error:
        raise SessionError(f"{error}.") from None


def _certify(scenario: Scenario, folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Write the certificate of a test authority, one for a client of Zn, one for a terminal.

    Return the contexts of the BSF and the BSM as servers.
    """
    ca = LabCa(datetime.now(UTC))
    with told(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "ca.pem", ca.certificate)
    ca.certify_naf(scenario.network.bsm_fqdn).write(folder / "naf")
    ca.certify_terminal(_TERMINAL).write(folder / "terminal")
    names = scenario.network.bsf_name, scenario.network.bsm_fqdn
    bsf, bsm = (server_context(ca.certify_server([name]), ca.certificate) for name in names)
    return bsf, bsm
