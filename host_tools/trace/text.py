"""The live trace for people: one line per exchange, and what is inside it below."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from card.codec.redaction import Span
from card.spec.status import describe
from host_tools.trace.commands import describe_command
from host_tools.trace.decode import decode_exchange
from host_tools.trace.events import CardEvent, TracedExchange, TraceEvent
from host_tools.trace.ladder import LadderWatch
from host_tools.trace.printable import printable

_LONGEST = 64  # bytes of a command or response on one line


class TextSink:
    """Prints each event. `write` takes its lines as one string; with `decoded` those below say what is inside.

    Texts in a card, and the names of readers, may hold anything: what is not printable becomes an escape.
    """

    def __init__(self, write: Callable[[str], None], *, decoded: bool = True) -> None:
        self._write = write
        self._decoded = decoded
        self._ladder = LadderWatch()

    def emit(self, event: TraceEvent) -> None:
        """Print one event."""
        self._write("\n".join(map(printable, event_lines(event, self._ladder, decoded=self._decoded))))

    def close(self) -> None:
        """Nothing is left to write."""


def event_lines(event: TraceEvent, ladder: LadderWatch, *, decoded: bool = True) -> Iterator[str]:
    """Yield the lines of one event. `ladder` sees every exchange, so that it can tell what they amount to."""
    if isinstance(event, CardEvent):
        atr = f"  ATR {event.atr.hex().upper()}" if event.atr else ""
        yield f"{_clock(event.at)} #{event.number} -- {event.what}{atr}"
        return
    yield summary_line(event)
    sentence = ladder.watch(event)
    if decoded:
        yield f"    > {show_with_gaps(event.command, event.hidden_command)}"
        if event.response:
            yield f"    < {show_with_gaps(event.response, event.hidden_response)}"
        for line in decode_exchange(event):
            yield f"      {'  ' * line.depth}{line.text}"
    if sentence:
        yield f"    * {sentence}"


def summary_line(event: TracedExchange) -> str:
    """Return time, number, command in words, file, outcome, planned fault and duration (if known) on one line."""
    sw = event.sw
    outcome = event.error or (f"answer of {len(event.response)} bytes" if sw is None else describe(sw))
    file = f" [{event.file}]" if event.file else ""
    fault = f"  [{event.fault}]" if event.fault else ""
    took = f"  {event.seconds * 1000:.2f} ms" if event.seconds else ""
    return f"{_clock(event.at)} #{event.number} {describe_command(event.command)}{file} -> {outcome}{fault}{took}"


def show_with_gaps(data: bytes, hidden: Sequence[Span]) -> str:
    """Return hex with `··` for every hidden byte; long data are shortened in the middle."""
    pairs = data.hex(" ").upper().split()
    for start, end in hidden:
        pairs[start:end] = ["··"] * len(pairs[start:end])
    if len(pairs) > _LONGEST:
        left_out = len(pairs) - _LONGEST
        pairs = [*pairs[: _LONGEST // 2], f"({left_out} bytes)", *pairs[-_LONGEST // 2 :]]
    return " ".join(pairs)


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S.%f")[:-3]
