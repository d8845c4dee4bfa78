"""Traces in captures: what a pcap or pcapng file holds as GSMTAP, and what other traces become in one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from card.errors import DecodeError
from host_tools.content.captures.pcap import CaptureReader, Datagram, open_capture
from host_tools.trace.events import CardEvent, TraceEvent
from host_tools.trace.gsmtap import APDU, ATR, PORT, decode_gsmtap, gsmtap_packets
from host_tools.trace.jsonl import TraceFileError
from host_tools.trace.printable import printable
from host_tools.trace.tpdu import join_exchange
from host_tools.trace.tracer import RESET, Tracer

_MOST_LINKS = 65  # told apart, one more than are written; further ones share the name of the file


@dataclass(slots=True)
class CapturedTrace:
    """Yields the events of a capture, once, redacted. Durations are not known: 0. `left_out` counts what is no event.

    Each interface of a pcapng file is a card of its own, with its own channels and current files. Memory use does not
    grow.
    """

    path: Path
    left_out: Counter[str] = field(default_factory=Counter)
    _tracers: dict[str, Tracer] = field(default_factory=dict, repr=False)
    _made: list[TraceEvent] = field(default_factory=list, repr=False)
    _now: float = 0.0

    def __iter__(self) -> Iterator[TraceEvent]:
        """Yield event by event.

        Raises `CaptureError` when the file is no capture, `TraceFileError` behind the last event where it breaks off,
        `OSError`.
        """
        with open_capture(self.path) as capture:
            for datagram in capture:
                self._take(datagram, capture)
                yield from self._made
                self._made.clear()
            self.left_out.update(capture.report.skipped_reasons)
            if not capture.report.is_whole:
                raise TraceFileError(f"{self.path}: {capture.report}")

    def emit(self, event: TraceEvent) -> None:
        """Take an event from the tracer."""
        self._made.append(event)

    def close(self) -> None:
        """Nothing is left to do."""

    def _take(self, datagram: Datagram, capture: CaptureReader) -> None:
        """Let the tracer of an interface make an event of a datagram, or count it."""
        if datagram.destination.port != PORT:
            self.left_out["to another port"] += 1
            return
        self._now = datagram.timestamp
        try:
            packet = decode_gsmtap(datagram.payload)
            if packet.subtype == ATR:
                self._tracer(capture.interface).card_event(RESET, packet.payload)
            elif packet.subtype == APDU:
                exchange = join_exchange(packet.payload, packet.command_size)
                self._tracer(capture.interface).exchange(*exchange, seconds=0.0)
            else:
                self.left_out["GSMTAP of another kind than APDU and ATR"] += 1
        except DecodeError:
            self.left_out["no GSMTAP packet of a SIM, or too short for one"] += 1

    def _tracer(self, interface: str) -> Tracer:
        name = printable(interface) or self.path.name
        if name not in self._tracers:
            if len(self._tracers) >= _MOST_LINKS:
                name = self.path.name
            self._tracers.setdefault(name, Tracer(name, [self], clock=lambda: self._now))
        return self._tracers[name]


def as_captured(events: Iterable[TraceEvent]) -> Iterator[TraceEvent]:
    """Yield what a capture of these events holds: exchanges as T=0 carries them, without durations."""
    for event in events:
        if isinstance(event, CardEvent):
            yield event
            continue
        for raw in gsmtap_packets(event):
            with suppress(DecodeError):
                packet = decode_gsmtap(raw)
                command, response = join_exchange(packet.payload, packet.command_size)
                yield replace(
                    event, command=command, response=response, seconds=0.0, hidden_command=(), hidden_response=()
                )
