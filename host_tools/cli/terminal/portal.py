"""`bcast-uicc terminal portal`: a web shop that knows the subscriber's keys, in a browser."""

from __future__ import annotations

import json
from typing import Any

import click

from host_tools.cli.numbers import NumberRange
from host_tools.cli.terminal.network_options import network_options, online_terminal
from host_tools.cli.terminal.options import card_options
from host_tools.cli.terminal.replies import OnlineShow
from host_tools.sessions.events import Event, PortalOpened


@click.command()
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="TCP port; without it, any that is free.")
@click.option("--for", "seconds", type=NumberRange(0, 1e9), metavar="SECONDS", help="End by itself after so long.")
@network_options
@card_options
def portal(port: int, seconds: float | None, as_json: bool, **options: Any) -> None:
    """Open the BSM's web shop in a browser on this computer, until interrupted.

    A browser cannot show that it is the subscriber: only the card makes the key for that. So this command stands
    between. It prints an address with a key that opens once; whoever opens it shops in the name of the card. Each page
    is checked to come from the BSM. Keys that are bought go to the card at once.
    """
    from host_tools.sessions.online.portal import open_portal

    show = _Show(as_json=as_json)
    with online_terminal(options, show) as opened:
        open_portal(opened, port, show, seconds)


class _Show(OnlineShow):
    """Says where the browser goes, and what the terminal does meanwhile."""

    def emit(self, event: Event, /) -> None:
        """Show the event."""
        match event:
            case PortalOpened(url) if self._as_json:
                click.echo(json.dumps({"event": "opened", "url": url}))
            case PortalOpened(url):
                click.echo(f"Open in a browser: {url}\nCtrl-C ends.")
            case _:
                super().emit(event)
