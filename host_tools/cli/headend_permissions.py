"""`bcast-uicc headend permissions`: the permissions issuer as a service of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import click

from card.crypto.secret import Secret
from host_tools.cli.exits import ENVIRONMENT, INPUT, CliError
from host_tools.cli.interrupts import interruptible
from host_tools.files.writing import told, write_whole
from host_tools.headend.permissions_issuer.certificates import LabCa
from host_tools.headend.permissions_issuer.service import PermissionsIssuer
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.seeded_keys import binding_key


def serve(scenario: Scenario, folder: Path, terminal: str, port: int) -> None:
    """Write certificates into `folder` and serve until interrupted. Raises `CliError`, `HeadendError`."""
    keys, hosts = dict(_keys(scenario)), sorted(set(_hosts(scenario)))
    if not keys:
        raise CliError(f"scenario {scenario.name} binds no TEK to terminals, so there is nothing to give out", INPUT)
    ca = LabCa(datetime.now(UTC))
    with told(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "ca.pem", ca.certificate)
    ca.certify_terminal(terminal).write(folder / "terminal")
    try:
        issuer = PermissionsIssuer(ca.certify_server(hosts), ca.certificate, keys, frozenset({terminal}), port)
    except OSError as error:
        raise CliError(f"port {port}: {error.strerror}", ENVIRONMENT) from None
    keys_given = "1 binding key" if len(keys) == 1 else f"{len(keys)} binding keys"
    with interruptible(), issuer, suppress(KeyboardInterrupt):  # which is how it is meant to end
        host, found = issuer.address
        click.echo(f"{keys_given} for terminal {terminal}, at {host}:{found}; certificates in {folder}")
        threading.Event().wait()


def _keys(scenario: Scenario) -> Iterator[tuple[int, Secret]]:
    for service in scenario.services:
        if service.bcast is not None and service.bcast.binding_key_id is not None:
            yield service.bcast.binding_key_id, binding_key(scenario, service.bcast.binding_key_id)


def _hosts(scenario: Scenario) -> Iterator[str]:
    for service in scenario.services:
        if service.bcast is not None and service.bcast.permissions_issuer:
            yield service.bcast.permissions_issuer.removeprefix("https://").partition("/")[0].partition(":")[0]
