"""Reads trace files of either kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from host_tools.content.errors import MediaError
from host_tools.sessions.errors import SessionError, Trouble
from host_tools.sessions.events import Events, PacketsLeftOut
from host_tools.trace.events import TraceEvent, TraceSink
from host_tools.trace.jsonl import TraceFileError, read_json_lines

if TYPE_CHECKING:
    from host_tools.trace.captured import CapturedTrace
    from host_tools.trace.diff import TraceDifference

_CAPTURES = (".pcapng", ".pcap", ".cap")


def is_capture(path: Path) -> bool:
    """Tell by its name whether a trace file is a capture (pcap, pcapng)."""
    return path.suffix.lower() in _CAPTURES


def read_events(path: Path, events: Events) -> Iterator[TraceEvent]:
    """Yield the events of a trace file one by one; what a capture holds beside is told.

    Raises `SessionError`, behind the last event where the file breaks off.
    """
    try:
        if not is_capture(path):
            yield from read_json_lines(path)
            return
        yield from _read_capture(path, events)
    except (TraceFileError, MediaError) as error:
        raise SessionError(f"{error}", Trouble.INPUT) from None


def _read_capture(path: Path, events: Events) -> Iterator[TraceEvent]:
    from host_tools.trace.captured import CapturedTrace

    captured = CapturedTrace(path)
    try:
        yield from captured
    except TraceFileError:
        _tell_left_out(captured, events)
        raise
    _tell_left_out(captured, events)


def _tell_left_out(captured: CapturedTrace, events: Events) -> None:
    if captured.left_out:
        events.emit(PacketsLeftOut(captured.path, captured.left_out))


def replay(path: Path, sink: TraceSink, events: Events, wanted: Callable[[TraceEvent], bool] | None = None) -> None:
    """Give the sink every event of a trace file, or those that are wanted, and close it. Raises `SessionError`."""
    for event in read_events(path, events):
        if wanted is None or wanted(event):
            sink.emit(event)
    sink.close()


def differences(first: Path, second: Path, events: Events) -> Iterator[TraceDifference]:
    """Yield what differs between two traces; where one is a capture, both are taken in that form.

    Raises `SessionError`.
    """
    from host_tools.trace.diff import diff_traces

    left, right = read_events(first, events), read_events(second, events)
    if is_capture(first) or is_capture(second):
        from host_tools.trace.captured import as_captured

        left, right = as_captured(left), as_captured(right)
    yield from diff_traces(left, right)
