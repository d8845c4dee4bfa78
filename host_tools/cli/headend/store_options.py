"""Options of where a served network keeps its state, and whom it serves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])
_FILE = click.Path(dir_okay=False, path_type=Path)
_OPTIONS = (
    click.option(
        "--db",
        metavar="URL",
        help="Where state is kept: the path of an SQLite file, a URL such as postgresql://USER@HOST/NAME, or memory. "
        "[default: a file for each scenario in $XDG_STATE_HOME/bcast-uicc/headend (or ~/.local/state)]",
    ),
    click.option(
        "--key-file",
        type=_FILE,
        help="Encrypt the secrets in the database under the key in this file (64 hex digits); one that is not there is "
        "made, readable by you alone. Without it whoever can read the database has every K, Ks, SMK and SEK.",
    ),
    click.option(
        "--subscribers",
        type=_FILE,
        help="Serve the subscribers of this file, too (CSV or TOML): USIMs with GBA_U or GBA_ME, and CSIMs. They are "
        "written into the database; sequence numbers that are higher there stay.",
    ),
)


def store_options(command: _Command) -> _Command:
    """Give a command the options of a store."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
