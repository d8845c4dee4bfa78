"""Opens sinks by what a person writes: a file name or an address."""

from __future__ import annotations

from pathlib import Path

from host_tools.trace.events import TraceSink
from host_tools.trace.gsmtap import PORT, GsmtapSink, PcapngSink
from host_tools.trace.jsonl import JsonLinesSink

PCAPNG = ".pcapng"


def file_sink(path: Path) -> TraceSink:
    """Return a sink that writes pcapng when the name ends so, else JSON lines. Raises `OSError`."""
    if path.suffix.lower() == PCAPNG:
        return PcapngSink(path.open("wb"))
    return JsonLinesSink(path.open("w", encoding="utf-8"))


def gsmtap_sink(address: str) -> TraceSink:
    """Return a sink for `HOST` or `HOST:PORT`. Raises `ValueError` for a port that is none, `LinkError`."""
    host, _, port = address.partition(":")
    number = int(port) if port else PORT
    if not 0 < number < 65_536:
        raise ValueError(f"port {number}")
    return GsmtapSink(host or "127.0.0.1", number)
