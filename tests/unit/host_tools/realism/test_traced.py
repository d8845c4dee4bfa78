"""A card that records what its reader asks of it."""

from __future__ import annotations

import pytest

from host_tools.links.base import ReaderGone
from host_tools.realism.faulty import FaultyCard
from host_tools.realism.plan import Fault, FaultKind, Injector
from host_tools.realism.traced import TracedCard
from host_tools.trace.events import CardEvent, TracedExchange, TraceEvent
from host_tools.trace.sinks import ShieldedSink
from host_tools.trace.tracer import Tracer
from tests.unit.host_tools.realism.cards import ATR, OK, READ, SELECT, CountingCard
from tests.unit.vpicc_bridge.fakes import DiaryCard


class Kept:
    """A sink that keeps what it is told, and fails when it is full."""

    def __init__(self, room: int = 100) -> None:
        self.events: list[TraceEvent] = []
        self.room = room
        self.closed = 0

    def emit(self, event: TraceEvent) -> None:
        if len(self.events) == self.room:
            raise OSError(28, "No space left on device")
        self.events.append(event)

    def close(self) -> None:
        self.closed += 1


def test_what_happens_to_a_card_is_recorded_and_passed_on() -> None:
    inner, kept = CountingCard(), Kept()
    card = TracedCard(inner, Tracer("reader", [kept]))
    card.power_off()  # has no power: no event
    assert (card.power_on(), card.atr, card.transmit(SELECT), card.reset()) == (ATR, ATR, OK, ATR)
    card.power_off()
    card.power_off()
    shown = [event.what if isinstance(event, CardEvent) else event.command for event in kept.events]
    assert shown == ["power on", SELECT, "reset", "power off"]
    assert inner.commands == [SELECT]


def test_a_lost_answer_is_recorded_with_its_reason() -> None:
    kept = Kept()
    faulty = FaultyCard(CountingCard(), Injector((Fault(FaultKind.MUTE, "READ BINARY"),)))
    card = TracedCard(faulty, Tracer("reader", [kept]))
    card.power_on()
    with pytest.raises(ReaderGone):
        card.transmit(READ)
    last = kept.events[-1]
    assert isinstance(last, TracedExchange)
    assert (last.response, last.error) == (b"", "The card is mute (planned fault).")


def test_a_fault_goes_with_the_exchange_it_befell() -> None:
    kept = Kept()
    recorder = Tracer("reader", [kept])
    plan = (Fault(FaultKind.INTERNAL_ERROR, "READ BINARY", at=2),)
    card = TracedCard(FaultyCard(CountingCard(), Injector(plan), tell=recorder.note_fault), recorder)
    card.power_on()
    for apdu in (READ, READ, READ):
        card.transmit(apdu)
    faults = [event.fault for event in kept.events if isinstance(event, TracedExchange)]
    assert faults == ["", "fault: internal-error at READ BINARY #2", ""]


def test_the_text_of_an_unexpected_exception_is_not_recorded() -> None:
    kept, inner = Kept(), DiaryCard()
    card = TracedCard(inner, Tracer("reader", [kept]))
    card.power_on()
    inner.failure = KeyError("a key")
    with pytest.raises(KeyError):
        card.transmit(READ)
    last = kept.events[-1]
    assert isinstance(last, TracedExchange)
    assert last.error == "KeyError"


def test_a_shielded_sink_that_fails_is_told_once_and_left_alone() -> None:
    kept, said = Kept(room=2), list[str]()
    card = TracedCard(CountingCard(), Tracer("reader", [ShieldedSink(kept, said.append)]))
    card.power_on()
    assert [card.transmit(SELECT) for _ in range(4)] == [OK] * 4
    assert len(kept.events) == 2
    assert said == ["The trace ends here: No space left on device."]


def test_a_shielded_sink_is_closed_once() -> None:
    kept, said = Kept(), list[str]()
    shielded = ShieldedSink(kept, said.append)
    shielded.close()
    shielded.close()
    assert (kept.closed, said) == (1, [])
