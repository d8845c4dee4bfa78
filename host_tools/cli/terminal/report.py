"""How the terminal commands show their results: a live table, a final table, JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

    from host_tools.content.captures.pcap import CaptureReport
    from host_tools.content.sinks.media_out import MediaOut
    from host_tools.terminal.statistics import PlayStatistics

_BAR_WIDTH = 30
_REDRAW = 0.1  # seconds between two drawings of a live table


def print_json(result: object) -> None:
    """Print a result for machines, and nothing else."""
    click.echo(json.dumps(result, indent=2))


def statistics_rows(statistics: PlayStatistics) -> list[tuple[str, str]]:
    """Return the rows of the table: what was counted, and how many."""
    rows = [
        ("STKMs seen", str(statistics.stkms_seen)),
        ("  resent", f"{statistics.stkms_resent} ({statistics.stkms_filtered} identical, kept from the card)"),
        ("  sent before, as T or MTK ID says", f"{statistics.stkms_stale} kept from the card"),
        ("  fed to the card", str(statistics.stkms_fed)),
        ("  refused", str(statistics.stkms_refused)),
    ]
    rows += [(f"    {reason}", str(count)) for reason, count in statistics.refusals.most_common()]
    if statistics.remedies:
        rows.append(("  bought, unlocked or delivered", str(statistics.remedies)))
    rows += [(f"  given: {why}", str(count)) for why, count in statistics.granted.most_common()]
    if statistics.stkms_unreadable:
        rows.append(("  not readable as STKM", str(statistics.stkms_unreadable)))
    if statistics.departures or statistics.departures_refused:
        refused = statistics.departures_refused
        told = f"{statistics.departures}, the card was told" + (f"; {refused} it would not hear of" if refused else "")
        rows.append(("Services left", told))
    return [
        *rows,
        ("TEKs obtained", str(statistics.teks)),
        ("Media packets seen", str(statistics.packets_seen)),
        ("  decrypted", str(statistics.packets_decrypted)),
        ("  repeated", str(statistics.packets_repeated)),
        ("  failed", str(statistics.packets_failed)),
        *((f"    {reason}", str(count)) for reason, count in statistics.failures.most_common()),
        ("  without key", str(statistics.packets_without_key)),
        *((f"    {why.value}", str(count)) for why, count in (+statistics.why_without_key).most_common()),
        *((f"Other datagrams, {reason}", str(count)) for reason, count in statistics.others.most_common()),
        ("Time per STKM", f"median {statistics.median_ms:.2f} ms, p99 {statistics.p99_ms:.2f} ms"),
    ]


def capture_rows(report: CaptureReport) -> list[tuple[str, str]]:
    """Return the rows that say what of a capture was readable, and what was not."""
    rows = [("Packets read", f"{report.packets}, {report.udp} of them UDP")]
    rows += [(f"  skipped: {reason}", str(count)) for reason, count in report.skipped_reasons.most_common()]
    if report.joined:
        rows.append(("  joined to other fragments", str(report.joined)))
    rows += [(f"  from inside {name}", str(count)) for name, count in report.tunnels.most_common()]
    rows += [(f"Other blocks: {name}", str(count)) for name, count in report.other_blocks.most_common()]
    if not report.is_whole:
        rows.append(("  not readable", f"from byte {report.truncated_at} on: {report.problem}"))
    return rows


def progress_row(share: float) -> tuple[str, str]:
    """Return the row that shows how much of a capture was played; `share` is from 0 to 1."""
    done = round(share * _BAR_WIDTH)
    return "Played", f"{'#' * done}{'.' * (_BAR_WIDTH - done)} {share:.0%}"


def media_rows(out: MediaOut) -> list[tuple[str, str]]:
    """Return one row for each media stream: where it went, and the file; then what is in no stream or no file."""
    rows = [
        (
            f"Stream {stream.destination}",
            f"{stream.packets} packets" + (f", {stream.sink.path}" if stream.sink is not None else ""),
        )
        for stream in out.streams
    ]
    rows += [(f"Left out, {reason}", f"{count} packets") for reason, count in out.left_out.most_common()]
    return rows + [
        (f"Left out of {path.name}", f"{seconds:.1f} s of silence: more than its sound allows")
        for path, seconds in out.silence_left_out.items()
    ]


def media_json(out: MediaOut) -> dict[str, object]:
    """Return the streams, and what is in no stream or no file, ready for JSON."""
    streams = [
        {
            "destination": str(stream.destination),
            "ssrc": stream.ssrc,
            "payload_type": stream.payload_type,
            "packets": stream.packets,
            "file": None if stream.sink is None else str(stream.sink.path),
        }
        for stream in out.streams
    ]
    silence = {str(path): round(seconds, 3) for path, seconds in out.silence_left_out.items()}
    return {
        "streams": streams,
        "left_out": {"packets": dict(out.left_out.most_common()), "seconds_of_silence": silence},
    }


def print_table(title: str, rows: Sequence[tuple[str, str]]) -> None:
    """Print a table of two columns on standard output."""
    from host_tools.cli.rich_console import Console

    Console().print(_table(title, rows))


def print_columns(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table with headings on standard output."""
    from rich.markup import escape
    from rich.table import Table

    from host_tools.cli.rich_console import Console

    console = Console()
    # The first column names what is to be given to a command: it is whole where the others have half of the room left.
    is_whole = max((len(row[0]) for row in rows), default=0) <= console.width // 2
    table = Table(title=title, title_justify="left")
    for place, head in enumerate(heads):
        table.add_column(head, overflow="fold", no_wrap=is_whole and not place)
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)


class LiveTable:
    """A table on standard error that follows what happens, if standard error is a terminal.

    It is drawn a few times a second, in the caller's thread, because counters must not change while they are read.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._drawn = 0.0
        self._live: Live | None = None
        self._over = not sys.stderr.isatty()

    def show(self, rows: Callable[[], Sequence[tuple[str, str]]]) -> None:
        """Draw the table if it is time to; the first call opens it."""
        if self._over:
            return
        if self._live is None:
            self._live = self._opened(rows())
        elif time.monotonic() - self._drawn < _REDRAW:
            return
        else:
            self._live.update(_table(self._title, rows()), refresh=True)
        self._drawn = time.monotonic()

    def stop(self) -> None:
        """Take the table away, for good."""
        self._over = True
        if self._live is not None:
            self._live.stop()

    def _opened(self, rows: Sequence[tuple[str, str]]) -> Live:
        from rich.live import Live

        from host_tools.cli.rich_console import Console

        live = Live(_table(self._title, rows), console=Console(stderr=True), transient=True, auto_refresh=False)
        live.start()
        return live


def _table(title: str, rows: Sequence[tuple[str, str]]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, show_header=False, title_justify="left")
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(escape(name), escape(value))
    return table
