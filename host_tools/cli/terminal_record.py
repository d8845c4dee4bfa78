"""`bcast-uicc terminal record`: a broadcast into one file, and the card told of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from host_tools.cli.exits import CARD, CliError
from host_tools.cli.interrupts import interruptible
from host_tools.cli.new_file import refuse_clash
from host_tools.cli.terminal_extras import Extras, extra_options
from host_tools.cli.terminal_options import (
    FILE,
    CardChoice,
    card_options,
    check_key_options,
    key_options,
    media_options,
    srtp_format,
)

if TYPE_CHECKING:
    from host_tools.cli.terminal_play import PlayJob
    from host_tools.content.containers.recording import RecordingWriter
    from host_tools.terminal.middleware import TerminalMiddleware

_TERMINAL_TYPE = b"\0"  # provisional: types of terminal IDs are unknown
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
@card_options
@key_options
@extra_options
def record(
    capture: Path, output: Path, content: str | None, terminal_name: str, stkm_port: int, media: tuple[int, ...],
    unwatched: bool, no_card: bool, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Record a broadcast: its media as they are, encrypted, with the STKMs that open them.

    Meanwhile the broadcast plays through the card, unless --unwatched. At the end the card is told which keys the
    recording needs, so that it keeps their policies.
    """
    from host_tools.cli.terminal_play import PlayJob
    from host_tools.cli.terminal_session import explained
    from host_tools.content.containers.recording import record_to
    from host_tools.content.known import KNOWN
    from host_tools.terminal.player import PlayOptions

    check_key_options(options)
    refuse_clash([output], [capture, options["ltkms"], options["profile"], options["subscriber"]])
    name = output.stem.encode(errors="replace").decode() if content is None else content
    if not 0 < len(name.encode()) <= 255:
        raise click.UsageError("--content: 1 to 255 bytes")
    protection = srtp_format(options)
    recording = record_to(output, name, stkm_port, frozenset(media), protection=protection)
    with interruptible(), explained(), recording as writer:
        complaint: CliError | None = None
        if no_card or unwatched:
            complaint = _store(capture, writer)
            if not no_card:
                with CardChoice.of(options).connected() as middleware:
                    _signal(middleware, writer, terminal_name)
        else:
            play_options = PlayOptions(KNOWN.with_layout(protection), stkm_port, frozenset(media))
            job = PlayJob(
                capture, play_options, None, CardChoice.of(options),
                options["scenario"], options["ltkms"], Extras.of(options), options["subscriber"], writer.take,
            )  # fmt: skip
            complaint = _play(job, lambda middleware: _signal(middleware, writer, terminal_name), as_json)
    index = writer.index()
    keys = "1 key" if len(index.spans) == 1 else f"{len(index.spans)} keys"
    click.echo(f"{output}: {index.packets} packets, {index.stkms} STKMs of {keys}", err=as_json)
    if complaint is not None:
        raise complaint


def _play(job: PlayJob, signal: Callable[[TerminalMiddleware], None], as_json: bool) -> CliError | None:
    """Play to the end; return what is to be complained of once the recording is written.

    A broadcast of which the card opened nothing is kept: it may be bought and played later. So is one that breaks off.
    """
    from host_tools.cli.terminal_verdict import BrokenOff, NoTrafficKey

    ended = False

    def afterwards(middleware: TerminalMiddleware) -> None:
        nonlocal ended
        signal(middleware)
        ended = True

    try:
        replace(job, afterwards=afterwards).run(as_json)
    except BrokenOff as error:
        return error
    except CliError as error:
        if not ended or error.exit_code != CARD:
            raise
        click.echo(f"{error.message} It is recorded all the same.", err=True)
        if isinstance(error, NoTrafficKey) and error.broken:
            return BrokenOff(error.broken)
    return None


def _store(capture: Path, writer: RecordingWriter) -> CliError | None:
    """Record without a card; return what is to be complained of once the recording is written."""
    from host_tools.cli.terminal_verdict import BrokenOff, require_whole
    from host_tools.content.captures.pcap import open_capture

    with open_capture(capture) as datagrams:
        for datagram in datagrams:
            writer.take(datagram)
        try:
            require_whole(capture, datagrams.report)
        except BrokenOff as error:
            return error
    return None


def _signal(middleware: TerminalMiddleware, writer: RecordingWriter, terminal_name: str) -> None:
    """Tell the card of every key the recording needs; one that does not have the key has nothing to keep."""
    from host_tools.apdu.response import StatusError
    from host_tools.terminal.audit import Auditor

    auditor, index = Auditor(middleware.usim), writer.index()
    for span in index.spans:
        try:
            auditor.signal_recording(terminal_id(terminal_name), index.content_id.encode(), span)
        except StatusError as error:
            click.echo(f"The card keeps nothing for MSK ID {span.msk_id.hex()}. {error}.", err=True)


def terminal_id(name: str) -> bytes:
    """Return the 17 bytes by which a terminal of this name is known to the card: a type, then 16 of a hash."""
    return _TERMINAL_TYPE + hashlib.sha256(name.encode()).digest()[:16]
