"""`bcast-uicc terminal play`: a captured broadcast, decrypted with the card."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from host_tools.cli.explained import explained
from host_tools.cli.interrupts import interruptible
from host_tools.cli.terminal.extras import extra_options, extras_of
from host_tools.cli.terminal.network_options import keys_to_play, playing_options
from host_tools.cli.terminal.options import (
    FILE,
    CardChoice,
    card_options,
    check_key_options,
    key_options,
    media_options,
    output_option,
    report_option,
    report_page,
    srtp_format,
)

if TYPE_CHECKING:
    from host_tools.cli.terminal.show import TerminalShow
    from host_tools.sessions.extras import Extras

_PORT = click.IntRange(1, 65_535)


@click.command()
@click.argument("capture", metavar="FILE.pcap", type=FILE)
@card_options
@key_options
@playing_options
@extra_options
@click.option("--stkm-port", type=_PORT, default=2269, show_default=True, help="UDP port of the STKMs.")
@click.option("--media", type=_PORT, multiple=True, help="UDP port of media, repeatable; without it, all RTP.")
@click.option("--feed-all", is_flag=True, help="Give identical repeats of an STKM to the card, too.")
@media_options
@output_option
@report_option
def play(
    capture: Path, stkm_port: int, media: tuple[int, ...], feed_all: bool, output: Path | None, as_json: bool,
    **options: Any,
) -> None:  # fmt: skip
    """Decrypt a captured broadcast with the card.

    Each STKM in FILE.pcap goes to the card, each TEK it gives opens the media that follow. The card must hold the
    service's keys already, or get them with --network, --scenario or --ltkms.
    """
    from host_tools.content.known import KNOWN
    from host_tools.sessions.play import PlayJob
    from host_tools.terminal.player import PlayOptions

    check_key_options(options)
    card, extras = CardChoice.of(options), extras_of(options)
    protections = KNOWN.with_layout(srtp_format(options))
    play_options = PlayOptions(protections, stkm_port, frozenset(media), feed_all)
    with explained():
        page = report_page(options, f"{capture.name}, played", capture)
    connected, keys = keys_to_play(card, options)
    job = PlayJob(capture, play_options, output, connected, keys, extras, (card.source.profile,), page=page)
    with interruptible(), explained(), show_for(capture, card, extras, as_json=as_json) as show:
        job.run(show)


def show_for(capture: Path, card: CardChoice, extras: Extras, *, as_json: bool) -> TerminalShow:
    """Return what shows how a capture plays: with a live table where nothing else is printed meanwhile."""
    from host_tools.cli.terminal.report import LiveTable
    from host_tools.cli.terminal.show import TerminalShow

    live = None if as_json or card.verbose or extras.explain else LiveTable(capture.name)
    return TerminalShow(as_json=as_json, explain=extras.explain, live=live)
