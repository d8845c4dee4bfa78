"""Helpers for tests of traces."""

from __future__ import annotations

from host_tools.trace.events import CardEvent, TracedExchange, TraceEvent


class Collector:
    """A sink that keeps everything."""

    def __init__(self) -> None:
        self.events: list[TraceEvent] = []
        self.closed = 0

    def emit(self, event: TraceEvent, /) -> None:
        self.events.append(event)

    def close(self) -> None:
        self.closed += 1


def exchanges(collector: Collector) -> list[TracedExchange]:
    return [event for event in collector.events if isinstance(event, TracedExchange)]


def exchange(number: int, command: str, response: str, **changes: object) -> TracedExchange:
    """Return an exchange from hex."""
    sent, came = bytes.fromhex(command), bytes.fromhex(response)
    fields: dict[str, object] = {"at": 1000.0 + number, "link": "test", "seconds": number / 1000, **changes}
    return TracedExchange(number=number, command=sent, response=came, **fields)  # type: ignore[arg-type]


RESET = CardEvent(1, 1000.0, "test", "reset", bytes.fromhex("3B80"))
