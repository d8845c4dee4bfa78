"""What a card was asked and answered, for the report of a test that failed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from host_tools.trace.events import TraceEvent
from host_tools.trace.ladder import LadderWatch
from host_tools.trace.text import event_lines

_KEPT_EVENTS = 200


class Transcript:
    """Keeps the last events of a card (a `TraceSink`); `title` heads them in a report."""

    def __init__(self, title: str = "what the card was asked and answered") -> None:
        self.title = title
        self._events: deque[TraceEvent] = deque(maxlen=_KEPT_EVENTS)

    def emit(self, event: TraceEvent) -> None:
        """Take one event."""
        self._events.append(event)

    def close(self) -> None:
        """Keep what is there: it is wanted after the test."""

    def lines(self) -> Iterator[str]:
        """Yield the trace as lines for people, without PINs and keys."""
        ladder = LadderWatch()
        for event in self._events.copy():  # a card in a reader is served by another thread
            yield from event_lines(event, ladder)
