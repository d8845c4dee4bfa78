"""`bcast-uicc terminal info`: what a terminal can tell about a card."""

from __future__ import annotations

from host_tools.cli.terminal_options import CardChoice
from host_tools.cli.terminal_report import print_json, print_table
from host_tools.cli.terminal_session import connect, explained
from host_tools.terminal.middleware import TerminalMiddleware
from host_tools.terminal.services import decode_service_table, service_name
from host_tools.terminal.usim import EF_UST


def show_card(card: CardChoice, as_json: bool) -> None:
    """Read the card and print it. Raises `CliError`."""
    with explained(), card.opened() as (link, middleware):
        applications = middleware.usim.applications()
        tries = _tries(middleware)
        identity = connect(middleware, card.pin)
        services = decode_service_table(middleware.usim.read_file(EF_UST))
        result: dict[str, object] = {
            "reader": link.name,
            "protocol": link.protocol.value,
            "atr": link.atr.hex().upper(),
            "applications": [
                {"aid": one.aid.hex().upper(), "label": one.label, "name": one.name} for one in applications
            ],
            "imsi": identity.imsi,
            "impi": identity.impi,
            "pin_tries_left": tries,
            "services": list(services),
        }
    if as_json:
        print_json(result)
        return
    rows = [(str(name), str(value)) for name, value in result.items() if name not in ("applications", "services")]
    rows += [
        ("application", " ".join(filter(None, (one.aid.hex().upper(), one.label, one.name)))) for one in applications
    ]
    rows += [("service", f"{number}: {service_name(number)}") for number in services]
    print_table("Card", rows)


def _tries(middleware: TerminalMiddleware) -> int | None:
    middleware.usim.select_usim()
    return middleware.usim.pin_tries_left()
