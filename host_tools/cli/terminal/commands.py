"""`bcast-uicc terminal`: be the terminal. The commands only parse and print; the work is in `host_tools.sessions`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import click

from host_tools.cli.lazy import LazyGroup, Subcommand

_COMMANDS: Mapping[str, Subcommand] = MappingProxyType(
    {
        "audit": Subcommand(
            "host_tools.cli.terminal.audit", "audit", "Show key groups, policies, purses and recordings."
        ),
        "deregister": Subcommand(
            "host_tools.cli.terminal.online", "deregister", "Leave services; their keys become invalid."
        ),
        "gba": Subcommand("host_tools.cli.terminal.gba", "gba", "Keys from GBA: take a push of the network."),
        "info": Subcommand(
            "host_tools.cli.terminal.info", "info", "Show the card: reader, ATR, applications, subscriber, services."
        ),
        "keys": Subcommand("host_tools.cli.terminal.online", "keys", "Ask for keys and take them."),
        "play": Subcommand("host_tools.cli.terminal.play", "play", "Decrypt a captured broadcast with the card."),
        "portal": Subcommand("host_tools.cli.terminal.portal", "portal", "Open the BSM's web shop in a browser."),
        "record": Subcommand(
            "host_tools.cli.terminal.record", "record", "Record a broadcast, with the STKMs that open it."
        ),
        "register": Subcommand(
            "host_tools.cli.terminal.online", "register", "Register for services and take their keys."
        ),
        "replay": Subcommand(
            "host_tools.cli.terminal.replay", "replay", "Play a recording of `terminal record` through the card."
        ),
    }
)


@click.group(cls=LazyGroup, table=lambda: _COMMANDS)
def terminal() -> None:
    """Be the terminal: look at a card; play, record and replay broadcasts with it."""
