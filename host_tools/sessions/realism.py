"""What comes between a card and its reader: latency, faults, the trace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from host_tools.sessions.errors import SessionError, Trouble
from host_tools.sessions.events import Events, FaultInjected

if TYPE_CHECKING:
    from host_tools.realism.latency import LatencyProfile
    from host_tools.realism.plan import Fault
    from host_tools.trace.events import TraceSink
    from host_tools.trace.tracer import Tracer
    from vpicc_bridge.adapter import VirtualCard
    from vpicc_bridge.slots import Bridge


@dataclass(frozen=True, slots=True)
class Realism:
    """How slow the card is, and what goes wrong with it."""

    latency: LatencyProfile | None
    plan: tuple[Fault, ...]
    seed: int

    @classmethod
    def read(cls, latency: Path | None, faults: Path | None, seed: int) -> Realism:
        """Read a latency profile and a plan of faults, where there are. Raises `ScriptError`, `CardError`."""
        return cls(
            None if latency is None else _read_latency(latency),
            () if faults is None else _read_plan(faults),
            seed,
        )

    def serve(
        self,
        card: VirtualCard,
        sinks: Sequence[TraceSink],
        reader: str,
        make_bridge: Callable[[VirtualCard], Bridge],
        events: Events,
    ) -> Bridge:
        """Return a bridge for the card with all that comes between the two.

        The trace, under the name of the `reader`, shows what the reader sees: slow and faulty as that is. Each fault
        is told there and as an event, on the card's thread.
        """
        if self.latency is not None:
            from host_tools.realism.slow import SlowCard

            card = SlowCard(card, self.latency, self.seed)
        tracer = _tracer(sinks, reader)
        if not self.plan:
            return make_bridge(_recorded(card, tracer))
        from host_tools.realism.bridge import PulledCard, ReturningBridge
        from host_tools.realism.faulty import FaultyCard
        from host_tools.realism.plan import Injector

        def tell(sentence: str) -> None:
            events.emit(FaultInjected(sentence))
            if tracer is not None:
                tracer.note_fault(sentence)

        faulty = FaultyCard(card, Injector(self.plan, self.seed), lambda after: bridge.pull(after), tell)
        served = PulledCard(_recorded(faulty, tracer))
        bridge = ReturningBridge(lambda: make_bridge(served))
        return bridge


def learn_times(trace: Path) -> LatencyProfile:
    """Return how slow the card of a trace is. Raises `SessionError`."""
    from host_tools.realism.latency import LatencyError, learn_latency
    from host_tools.trace.jsonl import TraceFileError, read_json_lines

    try:
        return learn_latency(read_json_lines(trace))
    except (LatencyError, TraceFileError) as error:
        raise SessionError(str(error), Trouble.INPUT) from error


def _tracer(sinks: Sequence[TraceSink], reader: str) -> Tracer | None:
    if not sinks:
        return None
    from host_tools.trace.tracer import Tracer

    return Tracer(reader, sinks)


def _recorded(card: VirtualCard, tracer: Tracer | None) -> VirtualCard:
    if tracer is None:
        return card
    from host_tools.realism.traced import TracedCard

    return TracedCard(card, tracer)


def _read_latency(path: Path) -> LatencyProfile:
    from card.disk.kinds import LATENCY
    from card.disk.reading import read_text
    from host_tools.realism.latency import parse_latency

    return parse_latency(read_text(path, LATENCY), str(path))


def _read_plan(path: Path) -> tuple[Fault, ...]:
    from card.disk.kinds import FAULTS
    from card.disk.reading import read_text
    from host_tools.realism.plan import parse_plan

    return parse_plan(read_text(path, FAULTS), str(path))
