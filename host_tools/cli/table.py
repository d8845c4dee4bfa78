"""Every subcommand that is imported on use, on one screen: its whole name, where it is, its line in `--help`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from host_tools.cli.lazy import Subcommand

_CLI = "host_tools.cli"
_TERMINAL = f"{_CLI}.terminal"
_ROWS = (
    ("demo", f"{_CLI}.demo.commands", "demo", "The whole job once, checked."),
    ("run", f"{_CLI}.run.commands", "run", "Put a card into a PC/SC reader and keep it there."),
    ("doctor", f"{_CLI}.doctor", "doctor", "Find what this machine lacks, and the fix."),
    ("card", f"{_CLI}.card.commands", "card", "Make and look at card files."),
    ("terminal", f"{_TERMINAL}.commands", "terminal", "Be the terminal: play, record, listen, buy, look at a card."),
    ("terminal account", f"{_TERMINAL}.asking", "account", "Ask the BSM what this subscriber has."),
    ("terminal audit", f"{_TERMINAL}.audit", "audit", "Show key groups, policies, purses and recordings."),
    ("terminal buy", f"{_TERMINAL}.asking", "buy", "Buy or subscribe, and take the keys."),
    ("terminal deregister", f"{_TERMINAL}.asking", "deregister", "Leave services; their keys become invalid."),
    ("terminal gba", f"{_TERMINAL}.gba", "gba", "Keys from GBA: take a push of the network."),
    ("terminal info", f"{_TERMINAL}.info", "info", "Show the card: reader, applications, subscriber, services."),
    ("terminal keys", f"{_TERMINAL}.asking", "keys", "Ask for keys and take them."),
    ("terminal online", f"{_TERMINAL}.online", "online", "Be a terminal on its network until Ctrl-C."),
    ("terminal play", f"{_TERMINAL}.play", "play", "Decrypt a captured broadcast with the card."),
    ("terminal portal", f"{_TERMINAL}.portal", "portal", "Open the BSM's web shop in a browser."),
    ("terminal prices", f"{_TERMINAL}.asking", "prices", "Ask the BSM what items cost."),
    ("terminal record", f"{_TERMINAL}.record", "record", "Record a broadcast, with the STKMs that open it."),
    ("terminal register", f"{_TERMINAL}.asking", "register", "Register for services and take their keys."),
    ("terminal renew", f"{_TERMINAL}.asking", "renew", "Prolong subscriptions."),
    ("terminal replay", f"{_TERMINAL}.replay", "replay", "Play a recording of `terminal record` through the card."),
    ("terminal sms", f"{_TERMINAL}.online", "sms", "Give the terminal a short message: a pull or a trigger."),
    ("terminal tune", f"{_TERMINAL}.tune", "tune", "Play a service that is on the air."),
    ("terminal unsubscribe", f"{_TERMINAL}.asking", "unsubscribe", "End subscriptions."),
    ("headend", f"{_CLI}.headend.commands", "headend", "Be the network: record, serve keys, be on the air."),
    ("script", f"{_CLI}.script.commands", "script", "Run APDU scripts and the conformance suite."),
    ("trace", f"{_CLI}.trace.commands", "trace", "Show, filter, compare and tap traces."),
    ("compare", f"{_CLI}.compare.commands", "compare", "Compare two cards; learn a profile."),
    ("realism", f"{_CLI}.realism", "realism", "Learn how slow a card is, for `run --latency`."),
    ("shell", f"{_CLI}.shell", "shell", "Talk to a card by hand."),
)
COMMANDS: Mapping[str, Subcommand] = MappingProxyType(
    {name: Subcommand(module, attribute, summary) for name, module, attribute, summary in _ROWS}
)


def commands_of(group: str = "") -> Mapping[str, Subcommand]:
    """Return the commands of a group by their own names; those of the program itself without one."""
    within = [(name.rpartition(" "), row) for name, row in COMMANDS.items()]
    return {own: row for (above, _, own), row in within if above == group}
