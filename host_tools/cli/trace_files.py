"""Reads trace files of either kind for the commands that take one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from host_tools.cli.exits import INPUT, CliError
from host_tools.media.errors import MediaError
from host_tools.trace.events import TraceEvent, TraceSink
from host_tools.trace.gsmtap import read_gsmtap
from host_tools.trace.jsonl import TraceFileError, read_json_lines

_CAPTURES = (".pcapng", ".pcap", ".cap")


def is_capture(path: Path) -> bool:
    """Tell by its name whether a trace file is a capture (pcap, pcapng)."""
    return path.suffix.lower() in _CAPTURES


def replay(path: Path, sink: TraceSink) -> None:
    """Give the sink every event of a trace file and close it. Raises `CliError`, `UnusableFile`."""
    try:
        if is_capture(path):
            report = read_gsmtap(path, sink)
            if not report.is_whole:
                raise CliError(f"{path}: {report}", INPUT)
            return
        for event in read_json_lines(path):
            sink.emit(event)
        sink.close()
    except (TraceFileError, MediaError) as error:
        raise CliError(f"{error}", INPUT) from None


class _Collector:
    def __init__(self) -> None:
        self.events: list[TraceEvent] = []

    def emit(self, event: TraceEvent) -> None:
        self.events.append(event)

    def close(self) -> None:
        pass


def read_events(path: Path) -> Iterator[TraceEvent]:
    """Return all events of a trace file. Raises `CliError`."""
    collector = _Collector()
    replay(path, collector)
    return iter(collector.events)
