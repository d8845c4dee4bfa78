"""The permissions issuer as a service of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from card.crypto.secret import Secret
from host_tools.files.writing import told, write_whole
from host_tools.headend.permissions_issuer.certificates import LabCa
from host_tools.headend.permissions_issuer.service import PermissionsIssuer
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.seeded_keys import binding_key
from host_tools.sessions.errors import SessionError, Trouble
from host_tools.sessions.events import Events, PermissionsServed


def serve(scenario: Scenario, folder: Path, terminal: str, port: int, events: Events) -> None:
    """Write certificates into `folder` and serve until interrupted. Raises `SessionError`, `HeadendError`."""
    keys, hosts = dict(_keys(scenario)), sorted(set(_hosts(scenario)))
    if not keys:
        nothing = f"scenario {scenario.name} binds no TEK to terminals, so there is nothing to give out"
        raise SessionError(nothing, Trouble.INPUT)
    ca = LabCa(datetime.now(UTC))
    with told(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "ca.pem", ca.certificate)
    ca.certify_terminal(terminal).write(folder / "terminal")
    try:
        issuer = PermissionsIssuer(ca.certify_server(hosts), ca.certificate, keys, frozenset({terminal}), port)
    except OSError as error:
        raise SessionError(f"port {port}: {error.strerror}") from None
    with issuer, suppress(KeyboardInterrupt):  # which is how it is meant to end
        host, found = issuer.address
        events.emit(PermissionsServed(len(keys), terminal, host, found, folder))
        threading.Event().wait()


def _keys(scenario: Scenario) -> Iterator[tuple[int, Secret]]:
    for service in scenario.services:
        if service.bcast is not None and service.bcast.binding_key_id is not None:
            yield service.bcast.binding_key_id, binding_key(scenario, service.bcast.binding_key_id)


def _hosts(scenario: Scenario) -> Iterator[str]:
    for service in scenario.services:
        if service.bcast is not None and service.bcast.permissions_issuer:
            yield service.bcast.permissions_issuer.removeprefix("https://").partition("/")[0].partition(":")[0]
