"""`bcast-uicc terminal replay`: a recording through the card, piece by piece."""

from __future__ import annotations

import re
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
from host_tools.cli.terminal.show import TerminalShow

if TYPE_CHECKING:
    from host_tools.terminal.replay import Segment

_SECONDS = r"([0-9]{1,6}(?:\.[0-9]{1,3})?)"
_PIECE = re.compile(rf"(?:([0-9]{{1,5}})@)?{_SECONDS}?-{_SECONDS}?")


def parse_pieces(_ctx: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> tuple[Segment, ...]:
    """Read [PORT@]FROM-TO, any number. Raises `click.BadParameter`."""
    from host_tools.terminal.replay import Segment

    pieces = []
    for value in values:
        match = _PIECE.fullmatch(value)
        if match is None:
            raise click.BadParameter("[PORT@]FROM-TO in seconds is wanted, such as 0-8, 5004@4.5-10 or 8-")
        port, start, end = match.groups()
        piece = Segment(float(start or 0), float(end) if end else None, int(port) if port else None)
        if piece.end is not None and piece.end <= piece.start:
            raise click.BadParameter(f"{value} ends before it begins")
        pieces.append(piece)
    return tuple(pieces) or (Segment(),)


@click.command()
@click.argument("recording", type=FILE)
@click.option(
    "--piece", "pieces", metavar="[PORT@]FROM-TO", multiple=True, callback=parse_pieces,
    help="Play this piece (seconds), repeatable: 0-8, then 4-8 rewinds, 5006@8- zaps. Without it, everything.",
)  # fmt: skip
@click.option("--forget-teks", is_flag=True, help="Ask the card again after a rewind; that may cost.")
@media_options
@output_option
@report_option
@card_options
@key_options
@playing_options
@extra_options
def replay(
    recording: Path, pieces: tuple[Segment, ...], forget_teks: bool, output: Path | None, as_json: bool, **options: Any
) -> None:
    """Play RECORDING, made with `terminal record`, through the card.

    The card decides whether it is a play-back, whether there is a right to it, and what it costs. Playing ends where
    the card refuses, unless --buy gets what it lacks.
    """
    from host_tools.sessions.replay import ReplayJob

    check_key_options(options)
    extras = extras_of(options)
    with explained():
        page = report_page(options, f"{recording.name}, played", recording)
    connected, keys = keys_to_play(CardChoice.of(options), options)
    job = ReplayJob(
        recording, pieces, output, connected, keys, extras,
        lambda told: srtp_format(options, told), forget_teks, page,
    )  # fmt: skip
    with interruptible(), explained(), TerminalShow(as_json=as_json, explain=extras.explain) as show:
        job.run(show)
