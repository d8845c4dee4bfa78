"""Reads trace files of either kind for the commands that take one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from host_tools.cli.exits import INPUT, CliError
from host_tools.content.errors import MediaError
from host_tools.trace.events import TraceEvent, TraceSink
from host_tools.trace.jsonl import TraceFileError, read_json_lines

if TYPE_CHECKING:
    from host_tools.trace.captured import CapturedTrace

_CAPTURES = (".pcapng", ".pcap", ".cap")


def is_capture(path: Path) -> bool:
    """Tell by its name whether a trace file is a capture (pcap, pcapng)."""
    return path.suffix.lower() in _CAPTURES


def read_events(path: Path) -> Iterator[TraceEvent]:
    """Yield the events of a trace file one by one; what a capture holds beside is told on standard error.

    Raises `CliError`, behind the last event where the file breaks off.
    """
    try:
        if not is_capture(path):
            yield from read_json_lines(path)
            return
        yield from _read_capture(path)
    except (TraceFileError, MediaError) as error:
        raise CliError(f"{error}", INPUT) from None


def _read_capture(path: Path) -> Iterator[TraceEvent]:
    from host_tools.trace.captured import CapturedTrace

    captured = CapturedTrace(path)
    try:
        yield from captured
    except TraceFileError:
        _tell_left_out(captured)
        raise
    _tell_left_out(captured)


def _tell_left_out(captured: CapturedTrace) -> None:
    if captured.left_out:
        reasons = ", ".join(f"{count} {reason}" for reason, count in captured.left_out.most_common())
        click.echo(f"{captured.path}: packets that are no part of the trace: {reasons}.", err=True)


def replay(path: Path, sink: TraceSink) -> None:
    """Give the sink every event of a trace file and close it. Raises `CliError`."""
    for event in read_events(path):
        sink.emit(event)
    sink.close()
