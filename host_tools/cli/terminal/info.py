"""`bcast-uicc terminal info`: what a terminal can tell about a card."""

from __future__ import annotations

from typing import Any

import click

from host_tools.cli.explained import ask_pin, explained
from host_tools.cli.terminal.options import CardChoice, card_options


@click.command()
@card_options
def info(as_json: bool, **options: Any) -> None:
    """Show the card: reader, ATR, applications, subscriber and services."""
    from host_tools.cli.terminal.report import print_json, print_table
    from host_tools.sessions.look import look_at
    from host_tools.terminal.services import service_name

    card = CardChoice.of(options)
    with explained(), card.opened() as (link, middleware):
        found = look_at(link, middleware, card.source.pin, ask_pin)
    result: dict[str, object] = {
        "reader": found.reader,
        "protocol": found.protocol,
        "atr": found.atr.hex().upper(),
        "applications": [
            {"aid": one.aid.hex().upper(), "label": one.label, "name": one.name} for one in found.applications
        ],
        "imsi": found.identity.imsi,
        "impi": found.identity.impi,
        "pin_tries_left": found.pin_tries,
        "services": list(found.services),
    }
    if as_json:
        print_json(result)
        return
    rows = [(str(name), str(value)) for name, value in result.items() if name not in ("applications", "services")]
    rows += [
        ("application", " ".join(filter(None, (one.aid.hex().upper(), one.label, one.name))))
        for one in found.applications
    ]
    rows += [("service", f"{number}: {service_name(number)}") for number in found.services]
    print_table("Card", rows)
