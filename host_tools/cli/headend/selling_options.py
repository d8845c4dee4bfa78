"""Options of what a served network sells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])
_OPTIONS = (
    click.option(
        "--catalogue",
        type=click.Path(dir_okay=False, path_type=Path),
        help="What is sold (TOML); without it, each service by the month and each offer of the scenario.",
    ),
    click.option(
        "--client-ids",
        is_flag=True,
        help="Want a BCAST_Client_ID before a terminal registers; with --certificates, as it comes over TLS only.",
    ),
    click.option(
        "--included/--no-included",
        default=True,
        show_default=True,
        help="Give each subscriber the items that the catalogue includes (price 0) with its first request.",
    ),
    click.option("--tls-port", type=click.IntRange(0, 65_535), default=0, help="TCP port of the BSM over TLS."),
    click.option("--bsf-tls-port", type=click.IntRange(0, 65_535), default=0, help="TCP port of the BSF over TLS."),
)


def selling_options(command: _Command) -> _Command:
    """Give a command the options of what is sold."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
