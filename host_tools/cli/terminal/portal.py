"""`bcast-uicc terminal portal`: a web shop that knows the subscriber's keys, in a browser."""

from __future__ import annotations

from typing import Any

import click

from host_tools.cli.console import Console
from host_tools.cli.exits import ENVIRONMENT, CliError
from host_tools.cli.terminal.online import network_options, resolved_network
from host_tools.cli.terminal.options import CardChoice, card_options
from host_tools.sessions.events import Event, KeyArrived, PortalOpened


@click.command()
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="TCP port; without it, any that is free.")
@network_options
@card_options
def portal(port: int, as_json: bool, **options: Any) -> None:
    """Open the BSM's web shop in a browser on this computer, until interrupted.

    A browser cannot show that it is the subscriber: only the card makes the key for that. So this command stands
    between. It prints an address with a key that opens once; whoever opens it shops in the name of the card. Each page
    is checked to come from the BSM. Keys that are bought go to the card at once.
    """
    from host_tools.cli.explained import explained
    from host_tools.exchange.errors import TransportError
    from host_tools.sessions.portal import open_portal

    network = resolved_network(options)
    try:
        with explained(), CardChoice.of(options).connected() as middleware:
            open_portal(middleware, network, options["address"], port, _Show(as_json))
    except TransportError as error:
        raise CliError(f"{error}.", ENVIRONMENT) from None


class _Show(Console):
    """Says where the browser goes, and each key that comes."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json

    def emit(self, event: Event, /) -> None:
        """Show the event."""
        match event:
            case PortalOpened(url):
                self._say({"event": "opened", "url": url}, f"Open in a browser: {url}\nCtrl-C ends.")
            case KeyArrived(receipt):
                verdict = receipt.verdict.name.lower()
                self._say({"event": "ltkm", "verdict": verdict, "words": receipt.words}, f"LTKM: {receipt.words}")
            case _:
                super().emit(event)

    def _say(self, values: dict[str, str], words: str) -> None:
        """Print one line of JSON, or words; at once, as a person or a program waits for it."""
        import json

        click.echo(json.dumps(values) if self._as_json else words)
