"""`bcast-uicc terminal`: be the terminal. The commands only parse and print; the work is in `host_tools.sessions`."""

from __future__ import annotations

import click

from host_tools.cli.lazy import LazyGroup
from host_tools.cli.table import commands_of


@click.group(cls=LazyGroup, table=lambda: commands_of("terminal"))
def terminal() -> None:
    """Be the terminal: look at a card; play, record and replay broadcasts with it; be on a network."""
