"""Opens sinks by what a person writes, a file name or an address; and one that shields the work from a sink."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from host_tools.files.writing import open_growing, whole_file
from host_tools.trace.events import TraceEvent, TraceSink
from host_tools.trace.gsmtap import PORT, GsmtapSink, PcapngSink
from host_tools.trace.jsonl import JsonLinesSink

PCAPNG = ".pcapng"


def file_sink(path: Path) -> TraceSink:
    """Return a sink that writes pcapng when the name ends so, else JSON lines. Raises `UnwritableFile`.

    Every event is in the file at once: it can be watched, and a process that is killed loses nothing of it.
    """
    return _sink_into(open_growing(path), path)


@contextmanager
def whole_trace(path: Path) -> Iterator[TraceSink]:
    """Yield such a sink whose file appears under its name only when the block ends well. Raises `UnwritableFile`."""
    with whole_file(path) as file:
        yield _sink_into(file, path)


def _sink_into(file: BinaryIO, path: Path) -> TraceSink:
    if path.suffix.lower() == PCAPNG:
        return PcapngSink(file)
    # Each line goes out at once and as one piece.
    return JsonLinesSink(io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True))


def gsmtap_sink(address: str) -> TraceSink:
    """Return a sink for `HOST` or `HOST:PORT`. Raises `ValueError` for a port that is none, `LinkError`."""
    host, _, port = address.partition(":")
    number = int(port) if port else PORT
    if not 0 < number < 65_536:
        raise ValueError(f"port {number}")
    return GsmtapSink(host or "127.0.0.1", number)


class ShieldedSink:
    """Hands events on until the sink behind it fails; says so once and drops the rest.

    For work that is worth more than its trace. `tell` takes one sentence.
    """

    def __init__(self, sink: TraceSink, tell: Callable[[str], None]) -> None:
        self._sink: TraceSink | None = sink
        self._tell = tell

    def emit(self, event: TraceEvent) -> None:
        """Hand one event on."""
        if self._sink is not None:
            try:
                self._sink.emit(event)
            except OSError as error:
                self._give_up(error)

    def close(self) -> None:
        """Close the sink behind."""
        sink, self._sink = self._sink, None
        if sink is not None:
            try:
                sink.close()
            except OSError as error:
                self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self._sink = None
        self._tell(f"The trace ends here: {error.strerror}.")
