"""What the playing commands can do beside: explain, buy, give the parental PIN, open bound TEKs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from host_tools.cli.explained import parse_pin
from host_tools.sessions.extras import Extras

_C = TypeVar("_C", bound=Callable[..., object])


def parse_address(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[str, int] | None:
    """Read HOST:PORT. Raises `click.BadParameter`."""
    if value is None:
        return None
    host, _, port = value.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65_536:
        raise click.BadParameter("HOST:PORT is wanted, such as 127.0.0.1:8443")
    return host, int(port)


def extra_options(command: _C) -> _C:
    """Add the options; `extras_of` reads them."""
    for option in (
        click.option(
            "--permissions-issuer", metavar="HOST:PORT", callback=parse_address,
            help="Where the permissions issuer really is; without it, where the STKM says.",
        ),
        click.option(
            "--binding", metavar="DIR", type=click.Path(file_okay=False, path_type=Path),
            help="Open bound TEKs: folder with this terminal's terminal.pem and terminal.key, and ca.pem to trust.",
        ),
        click.option("--parental-pin", metavar="DIGITS", envvar="BCAST_UICC_PARENTAL_PIN", callback=parse_pin,
                     help="Parental PIN, given when the card wants it; better as BCAST_UICC_PARENTAL_PIN."),
        click.option("--no-events", is_flag=True, help="Do not tell the card which services are left."),
        click.option("--buy", is_flag=True, help="Buy what the card lacks, of the network or the test head-end."),
        click.option("--explain", is_flag=True, help="Show what the card decided about each STKM, and why."),
    ):  # fmt: skip
        command = option(command)
    return command


def extras_of(options: Mapping[str, Any]) -> Extras:
    """Take the values of the options out of all that a command got."""
    names = ("explain", "parental_pin", "binding", "permissions_issuer", "no_events")
    return Extras(**{name: options[name] for name in names})
