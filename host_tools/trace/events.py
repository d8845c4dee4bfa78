"""What a trace consists of. Events are redacted when they are made: no sink ever sees a PIN or a key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from card.codec.redaction import Span


@dataclass(frozen=True, slots=True)
class TracedExchange:
    """One command APDU and its answer as they crossed a link.

    `at` is in seconds since 1970, `seconds` how long the answer took (0: not known, as in a capture). Bytes inside
    `hidden_command` and `hidden_response` (spans in `command` and `response`) were secret and are zero. `response` is
    data and status word; it is empty when none came, and `error` then says why. `file` is the file that is current
    behind the command, by its names, and empty where it is not known. `fault` is what a plan did to the command.
    """

    number: int
    at: float
    link: str
    command: bytes = field(repr=False)
    response: bytes = field(repr=False)
    seconds: float
    error: str = ""
    file: str = ""
    hidden_command: tuple[Span, ...] = ()
    hidden_response: tuple[Span, ...] = ()
    fault: str = ""

    @property
    def sw(self) -> int | None:
        """The status word; None when no whole answer came."""
        return None if len(self.response) < 2 else int.from_bytes(self.response[-2:], "big")

    @property
    def data(self) -> bytes:
        """The response data without the status word."""
        return self.response[:-2]


@dataclass(frozen=True, slots=True)
class CardEvent:
    """The card was switched on or off, or reset. `atr` is empty when it is off."""

    number: int
    at: float
    link: str
    what: str
    atr: bytes = b""


TraceEvent = TracedExchange | CardEvent


class TraceSink(Protocol):
    """Where events go. It should be quick, and what it raises ends the work that is traced."""

    def emit(self, event: TraceEvent, /) -> None:
        """Take one event."""

    def close(self) -> None:
        """Finish: write out what is left. Closing twice is harmless."""
