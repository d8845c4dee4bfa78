"""`bcast-uicc terminal record`: a broadcast into one file, and the card told of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from host_tools.cli.explained import explained
from host_tools.cli.interrupts import interruptible
from host_tools.cli.new_file import refuse_clash
from host_tools.cli.terminal.extras import extra_options, extras_of
from host_tools.cli.terminal.network_options import keys_to_play, playing_options
from host_tools.cli.terminal.options import (
    FILE,
    CardChoice,
    card_options,
    check_key_options,
    key_options,
    media_options,
    report_option,
    report_page,
    srtp_format,
)

_PORT = click.IntRange(1, 65_535)


@click.command()
@click.argument("capture", metavar="FILE.pcap", type=FILE)
@click.option("-o", "--output", type=FILE, required=True, help="Where the recording goes.")
@click.option("--content", help="Content ID, 1 to 255 bytes; without it, the name of the recording.")
@click.option("--terminal", "terminal_name", default="bcast-uicc", show_default=True, help="Name of this terminal.")
@click.option("--stkm-port", type=_PORT, default=2269, show_default=True, help="UDP port of the STKMs.")
@click.option("--media", type=_PORT, multiple=True, help="UDP port of media, repeatable; without it, all RTP.")
@click.option("--unwatched", is_flag=True, help="Only record: no STKM goes to the card, nothing is paid.")
@click.option("--no-card", is_flag=True, help="Use no card at all, and tell none of the recording.")
@media_options
@report_option
@card_options
@key_options
@playing_options
@extra_options
def record(
    capture: Path, output: Path, content: str | None, terminal_name: str, stkm_port: int, media: tuple[int, ...],
    unwatched: bool, no_card: bool, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Record a broadcast: its media as they are, encrypted, with the STKMs that open them.

    Meanwhile the broadcast plays through the card, unless --unwatched. At the end the card is told which keys the
    recording needs, so that it keeps their policies.
    """
    from host_tools.cli.terminal.play import show_for
    from host_tools.content.known import KNOWN
    from host_tools.sessions.play import PlayJob
    from host_tools.sessions.record import RecordJob
    from host_tools.terminal.player import PlayOptions

    check_key_options(options)
    refuse_clash([output], [capture, options["ltkms"], options["profile"], options["subscriber"]])
    if options["report"] is not None and (unwatched or no_card):
        raise click.UsageError("--report shows how a broadcast plays: it goes with neither --unwatched nor --no-card")
    name = output.stem.encode(errors="replace").decode() if content is None else content
    if not 0 < len(name.encode()) <= 255:
        raise click.UsageError("--content: 1 to 255 bytes")
    protection, ports = srtp_format(options), frozenset(media)
    card, extras = CardChoice.of(options), extras_of(options)
    play_options = PlayOptions(KNOWN.with_layout(protection), stkm_port, ports)
    with explained():
        page = report_page(options, f"{capture.name}, recorded", capture)
    connected, keys = keys_to_play(card, options)
    play = PlayJob(capture, play_options, None, connected, keys, extras, page=page)
    job = RecordJob(
        capture, output, name, terminal_name, stkm_port, ports, protection,
        play=None if unwatched or no_card else play, connected=None if no_card else card.connected,
    )  # fmt: skip
    with interruptible(), explained(), show_for(capture, card, extras, as_json=as_json) as show:
        job.run(show)
