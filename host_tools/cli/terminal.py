"""`bcast-uicc terminal`: be the terminal. Only parses and prints; the work is in `host_tools.terminal`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from host_tools.cli.terminal_audit import audit
from host_tools.cli.terminal_extras import Extras, extra_options
from host_tools.cli.terminal_gba import gba
from host_tools.cli.terminal_online import deregister, keys, register
from host_tools.cli.terminal_options import (
    FILE,
    CardChoice,
    card_options,
    check_key_options,
    key_options,
    media_options,
    output_option,
    srtp_format,
)
from host_tools.cli.terminal_record import record
from host_tools.cli.terminal_replay import replay

_PORT = click.IntRange(1, 65_535)


@click.group()
def terminal() -> None:
    """Be the terminal: look at a card; play, record and replay broadcasts with it."""


@terminal.command()
@click.argument("capture", metavar="FILE.pcap", type=FILE)
@card_options
@key_options
@extra_options
@click.option("--stkm-port", type=_PORT, default=2269, show_default=True, help="UDP port of the STKMs.")
@click.option("--media", type=_PORT, multiple=True, help="UDP port of media, repeatable; without it, all RTP.")
@click.option("--feed-all", is_flag=True, help="Give identical repeats of an STKM to the card, too.")
@media_options
@output_option
def play(
    capture: Path, stkm_port: int, media: tuple[int, ...], feed_all: bool, output: Path | None, as_json: bool,
    **options: Any,
) -> None:  # fmt: skip
    """Decrypt a captured broadcast with the card.

    Each STKM in FILE.pcap goes to the card, each TEK it gives opens the media that follow. The card must hold the
    service's keys already, or get them first with --scenario or --ltkms.
    """
    from host_tools.cli.terminal_play import PlayJob
    from host_tools.content.known import KNOWN
    from host_tools.terminal.player import PlayOptions

    check_key_options(options)
    protections = KNOWN.with_layout(srtp_format(options))
    play_options = PlayOptions(protections, stkm_port, frozenset(media), feed_all)
    job = PlayJob(
        capture, play_options, output, CardChoice.of(options), options["scenario"], options["ltkms"],
        Extras.of(options), options["subscriber"],
    )  # fmt: skip
    job.run(as_json)


@terminal.command()
@card_options
def info(as_json: bool, **options: Any) -> None:
    """Show the card: reader, ATR, applications, subscriber and services."""
    from host_tools.cli.terminal_info import show_card

    show_card(CardChoice.of(options), as_json)


for _command in (audit, deregister, gba, keys, record, register, replay):
    terminal.add_command(_command)
