"""The options of `bcast-uicc run` that come between the card and its reader: latency and faults."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from host_tools.sessions.realism import Realism

_FILE = click.Path(dir_okay=False, path_type=Path)
_C = TypeVar("_C", bound=Callable[..., object])


def realism_options(command: _C) -> _C:
    """Add --latency, --faults and --seed."""
    for option in (
        click.option("--seed", type=int, default=0, show_default=True,
                     help="The same seed gives the same delays and faults."),
        click.option("--faults", type=_FILE, metavar="PLAN", help="Let things go wrong as this plan says (TOML)."),
        click.option("--latency", type=_FILE, metavar="PROFILE",
                     help="Answer as slowly as this profile says; `realism learn` makes one."),
    ):  # fmt: skip
        command = option(command)
    return command


def realism_of(options: Mapping[str, Any]) -> Realism:
    """Read the files that the options name. Raises `CliError`."""
    from host_tools.cli.script.commands import plain_script_errors

    with plain_script_errors():
        return Realism.read(options["latency"], options["faults"], options["seed"])
