"""Joins what transport cut: a command with its GET RESPONSEs is one exchange, and so is one repeated after 6CXX.

So a card on T=0 and a card on T=1 can be compared (TS 102 221 clause 7.3.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from card.spec.ins import INS
from host_tools.compare.model import Observation
from host_tools.trace.events import TracedExchange


@dataclass(frozen=True, slots=True)
class Wire:
    """One APDU and its answer: redacted to be shown, and as they were to be compared."""

    shown: TracedExchange
    command: bytes = field(repr=False)
    response: bytes = field(repr=False)


def join_exchanges(wires: Iterable[Wire]) -> Iterator[Observation]:
    """Yield one `Observation` for each command that was meant, in order."""
    current: Observation | None = None
    for wire in wires:
        if current is not None and _continues(current, wire):
            current = _joined(current, wire)
            continue
        if current is not None:
            yield current
        current = _begun(wire)
    if current is not None:
        yield current


def _begun(wire: Wire) -> Observation:
    shown = wire.shown
    return Observation(shown, wire.command, wire.response[:-2], shown.sw, shown.seconds, 1, shown.error)


def _continues(current: Observation, wire: Wire) -> bool:
    if current.sw is None or len(wire.command) < 4:
        return False
    if current.sw >> 8 in (0x61, 0x9F):
        return wire.command[1] == INS.GET_RESPONSE
    return current.sw >> 8 == 0x6C and wire.command[:4] == current.command[:4]


def _joined(current: Observation, wire: Wire) -> Observation:
    offset = len(current.data)
    response = current.shown.data + wire.shown.response
    hidden = tuple((start + offset, end + offset) for start, end in wire.shown.hidden_response)
    seconds = current.seconds + wire.shown.seconds
    shown = replace(
        current.shown,
        response=response,
        seconds=seconds,
        error=wire.shown.error,
        file=wire.shown.file,
        hidden_response=current.shown.hidden_response + hidden,
    )
    return Observation(
        shown, current.command, current.data + wire.response[:-2], wire.shown.sw, seconds, current.wire + 1,
        wire.shown.error,
    )  # fmt: skip
