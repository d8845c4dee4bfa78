"""`bcast-uicc trace`: look at traces, filter and compare them, and listen in on a virtual reader."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from host_tools.cli.console import Console
from host_tools.cli.exits import DIFFERENT
from host_tools.cli.trace.options import TraceChoice
from vpicc_bridge.machine import VPCD_FIRST_PORT

if TYPE_CHECKING:
    pass

_FILE = click.Path(dir_okay=False, path_type=Path)
_ENDING = (signal.SIGINT, signal.SIGTERM)


@click.group()
def trace() -> None:
    """Look at traces: JSON lines, or captures with GSMTAP (pcap, pcapng)."""


@trace.command(short_help="Show a trace decoded.")
@click.argument("file", type=_FILE)
@click.option("--brief", is_flag=True, help="One line per exchange.")
def show(file: Path, brief: bool) -> None:
    """Show a trace: commands, files, TLV objects, MIKEY fields, and what happens on the key ladder."""
    from host_tools.sessions.trace_files import replay
    from host_tools.trace.text import TextSink

    replay(file, TextSink(click.echo, decoded=not brief), Console())


@trace.command(name="filter", short_help="Keep the events that fit; turn one kind into the other.")
@click.argument("file", type=_FILE)
@click.argument("terms", nargs=-1)
@click.option("-o", "--output", type=_FILE, help="Write a trace file (pcapng or JSON lines) instead of text.")
def filter_(file: Path, terms: tuple[str, ...], output: Path | None) -> None:
    """Keep the events that fit all TERMS, such as ins=AUTHENTICATE, sw!=9000, file=EF_IMSI, ms>5 or text=STKM.

    Without terms and with --output, a trace is turned into the other kind of file.
    """
    from host_tools.cli.new_file import refuse_clash
    from host_tools.sessions.trace_files import replay
    from host_tools.trace.filter import FilterError, parse_filter
    from host_tools.trace.sinks import whole_trace
    from host_tools.trace.text import TextSink

    try:
        wanted = parse_filter(terms)
    except FilterError as error:
        raise click.UsageError(str(error)) from None
    if output is None:
        replay(file, TextSink(click.echo, decoded=False), Console(), wanted)
        return
    refuse_clash([output], [file])
    with whole_trace(output) as sink:
        replay(file, sink, Console(), wanted)


@trace.command(short_help="Make a page of what a trace shows over time.")
@click.argument("file", type=_FILE)
@click.argument("output", metavar="FILE.html", type=_FILE)
def report(file: Path, output: Path) -> None:
    """Make a page of what a trace shows over time: LTKMs, STKMs, traffic keys by name, what was refused and why.

    A trace has no media; `terminal play --report` and `terminal tune --report` show those, too.
    """
    from host_tools.cli.new_file import refuse_clash
    from host_tools.sessions.trace_page import page_of_trace

    refuse_clash([output], [file])
    page_of_trace(file, output, Console())


@trace.command(short_help="Compare two traces.")
@click.argument("first", type=_FILE)
@click.argument("second", type=_FILE)
def diff(first: Path, second: Path) -> None:
    """Compare two traces: commands that only one has, commands and answers that differ, but not times.

    Beside a capture, which has only what T=0 carries, the other trace is taken in that form too. Exits with 1 when
    anything differs.
    """
    from host_tools.sessions.trace_files import differences
    from host_tools.trace.diff import difference_lines

    count = 0
    for difference in differences(first, second, Console()):
        count += 1
        for line in difference_lines(difference):
            click.echo(line)
    click.echo(f"{count or 'no'} difference{'s' if count > 1 else ''}", err=True)
    if count:
        raise click.exceptions.Exit(int(DIFFERENT))


@trace.command(short_help="Listen in between vpcd and a card.")
@click.option(
    "--listen",
    type=click.IntRange(0, 65_535),
    default=VPCD_FIRST_PORT + 100,
    show_default=True,
    help="Port at which the card calls; 0 for any free one.",
)
@click.option(
    "--vpcd-port",
    type=click.IntRange(1, 65_535),
    default=VPCD_FIRST_PORT,
    show_default=True,
    help="Port of the vpcd slot.",
)
@click.option("-o", "--output", "outputs", multiple=True, type=_FILE, help="Write a trace file. Repeatable.")
@click.option("--gsmtap", metavar="HOST[:PORT]", help="Send the trace to a Wireshark, as GSMTAP over UDP.")
@click.option("-q", "--quiet", is_flag=True, help="Print no events.")
def tap(listen: int, vpcd_port: int, outputs: tuple[Path, ...], gsmtap: str | None, quiet: bool) -> None:
    """Listen in between pcscd's vpcd driver and any card that dials it, until Ctrl-C.

    Start the tap, then the card at the tap's port: `bcast-uicc run PROFILE --port PORT`.
    """
    from host_tools.sessions.tap import listen_in

    with TraceChoice(not quiet, outputs, gsmtap).opened() as sinks:
        listen_in(listen, vpcd_port, sinks, Console(), _ended_by_signals)


@contextmanager
def _ended_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` on Ctrl-C and SIGTERM, which are how a tap is meant to end, for the length of a `with` block."""
    before = {number: signal.signal(number, lambda _number, _frame: stop()) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
