"""`bcast-uicc terminal replay`: a recording through the card, piece by piece."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from host_tools.cli.exits import CARD, CliError
from host_tools.cli.interrupts import interruptible
from host_tools.cli.terminal_extras import Extras, extra_options
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

if TYPE_CHECKING:
    from host_tools.content.containers.recording import RecordedContent
    from host_tools.terminal.media_out import MediaOut
    from host_tools.terminal.middleware import TerminalMiddleware
    from host_tools.terminal.player import Hooks
    from host_tools.terminal.purchase import PurchaseFlow
    from host_tools.terminal.replay import Replay, Segment
    from host_tools.terminal.statistics import PlayStatistics

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
@card_options
@key_options
@extra_options
def replay(
    recording: Path, pieces: tuple[Segment, ...], forget_teks: bool, output: Path | None, as_json: bool, **options: Any
) -> None:
    """Play RECORDING, made with `terminal record`, through the card.

    The card decides whether it is a play-back, whether there is a right to it, and what it costs. Playing ends where
    the card refuses, unless --buy gets what it lacks.
    """
    from host_tools.cli.terminal_session import explained
    from host_tools.cli.terminal_verdict import judge_replay
    from host_tools.content.containers.recording import open_recording
    from host_tools.content.known import KNOWN
    from host_tools.terminal.media_out import MediaOut
    from host_tools.terminal.player import Hooks
    from host_tools.terminal.replay import Replay

    check_key_options(options)
    extras = Extras.of(options)
    out = MediaOut(output, (recording,))
    card = CardChoice.of(options)
    with interruptible(), explained(), open_recording(recording, KNOWN) as content, closing(out):
        protection = srtp_format(options, content.index.protection)
        with card.connected() as middleware:
            purchase = _keys(middleware, content, options)
            feed, hooks = extras.apply(middleware, purchase, Hooks(), to_stderr=not as_json)
            replaying = Replay(content, feed, out, keep_teks=not forget_teks, protection=protection)
            try:
                _play(replaying, pieces, hooks)
            finally:
                _print(recording, list(zip(pieces, replaying.played, strict=False)), out, extras, as_json)
    if replaying.refused is not None:
        raise CliError(f"The card refused: {replaying.refused.why}.", CARD)
    judge_replay(replaying.played, protection)


def _keys(middleware: TerminalMiddleware, content: RecordedContent, options: dict[str, Any]) -> PurchaseFlow | None:
    """Get a fresh card's keys; all LTKMs of a scenario that have a time are delivered at once."""
    from host_tools.cli.terminal_keys import keys_from_file, open_network, subscribe

    subscriber = options["subscriber"] or options["profile"]
    if options["scenario"] is not None:
        network = open_network(options["scenario"], subscriber, middleware.usim.tables)
        delivery, purchase = subscribe(middleware, network)
    elif options["ltkms"] is not None:
        delivery, purchase = keys_from_file(middleware, options["ltkms"], content.index.begins), None
    else:
        return None
    delivery.deliver_until(float("inf"))
    return purchase


def _play(replaying: Replay, pieces: tuple[Segment, ...], hooks: Hooks) -> None:
    """Play the pieces until the card refuses; whoever has enough before leaves the services, too."""
    try:
        for piece in pieces:
            replaying.play(piece, hooks)
            if replaying.refused is not None:
                break
    except KeyboardInterrupt:
        replaying.stop(hooks)
        raise
    replaying.stop(hooks)


def _print(
    recording: Path, played: list[tuple[Segment, PlayStatistics]], out: MediaOut, extras: Extras, as_json: bool
) -> None:
    from host_tools.cli.terminal_report import media_json, media_rows, print_json, print_table, statistics_rows

    if as_json:
        pieces = [
            {"from": piece.start, "to": piece.end, "port": piece.port, **counted.as_dict()} for piece, counted in played
        ]
        files = [str(path) for path in out.files]
        print_json({"pieces": pieces, "files": files, **media_json(out), **extras.as_json()})
        return
    for piece, counted in played:
        end = "the end" if piece.end is None else f"{piece.end:g} s"
        print_table(f"{recording.name}, {piece.start:g} s to {end}", statistics_rows(counted))
    if out.streams:
        print_table("Media", media_rows(out))
