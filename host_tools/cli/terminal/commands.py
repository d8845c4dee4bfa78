"""`bcast-uicc terminal`: be the terminal. The commands only parse and print; the work is in `host_tools.sessions`."""

from __future__ import annotations

import click

from host_tools.cli.terminal.audit import audit
from host_tools.cli.terminal.gba import gba
from host_tools.cli.terminal.info import info
from host_tools.cli.terminal.play import play
from host_tools.cli.terminal.record import record
from host_tools.cli.terminal.replay import replay


@click.group()
def terminal() -> None:
    """Be the terminal: look at a card; play, record and replay broadcasts with it."""


for _command in (audit, gba, info, play, record, replay):
    terminal.add_command(_command)
