"""Faults: which command they meet, what they do to the card, and that a seed repeats them."""

from __future__ import annotations

import contextlib
import threading

import pytest

from host_tools.links.base import ReaderGone
from host_tools.links.inprocess import InProcessLink
from host_tools.realism.bridge import PulledCard, ReturningBridge
from host_tools.realism.faulty import FaultyCard
from host_tools.realism.plan import Fault, FaultKind, Injector, parse_plan
from host_tools.script.errors import ScriptError
from tests.unit.host_tools.realism.cards import ATR, OK, READ, SELECT, CountingCard

LOSING = [FaultKind.DROP, FaultKind.MUTE, FaultKind.POWER_LOSS, FaultKind.REMOVAL]


SENTENCES = {
    FaultKind.WRONG_SW: "fault: wrong-sw 6581 at READ BINARY #2",
    FaultKind.INTERNAL_ERROR: "fault: internal-error at READ BINARY #2",
    FaultKind.DROP: "fault: drop at READ BINARY #2",
    FaultKind.MUTE: "fault: mute at READ BINARY #2",
    FaultKind.POWER_LOSS: "fault: power-loss at READ BINARY #2",
    FaultKind.REMOVAL: "fault: removal at READ BINARY #2",
}


def faulty(*plan: Fault, seed: int = 0) -> tuple[FaultyCard, CountingCard, list[float]]:
    pulls: list[float] = []
    card = CountingCard()
    made = FaultyCard(card, Injector(plan, seed), pulls.append)
    made.power_on()
    return made, card, pulls


class TestInjector:
    def test_at_counts_the_commands_that_fit(self) -> None:
        injector = Injector((Fault(FaultKind.INTERNAL_ERROR, command="READ*", at=2),))
        struck = [injector.next_fault(apdu) is not None for apdu in (READ, SELECT, SELECT, READ, READ)]
        assert struck == [False, False, False, True, False]

    def test_times_limits_chance(self) -> None:
        injector = Injector((Fault(FaultKind.INTERNAL_ERROR, times=2),))
        assert [injector.next_fault(READ) is not None for _ in range(4)] == [True, True, False, False]

    def test_a_seed_repeats(self) -> None:
        def struck(seed: int) -> list[bool]:
            injector = Injector((Fault(FaultKind.DROP, chance=0.5),), seed)
            return [injector.next_fault(READ) is not None for _ in range(64)]

        assert struck(3) == struck(3)
        assert struck(3) != struck(4)
        assert True in struck(3)
        assert False in struck(3)

    def test_bytes_that_are_no_apdu_are_commands_too(self) -> None:
        assert Injector((Fault(FaultKind.DROP, command="no apdu"),)).next_fault(b"") is not None
        assert Injector((Fault(FaultKind.DROP),)).next_fault(b"") is not None


class TestFaultyCard:
    def test_a_wrong_status_word_without_and_with_the_work_done(self) -> None:
        card, inner, pulls = faulty(
            Fault(FaultKind.WRONG_SW, at=1, sw=0x6581), Fault(FaultKind.WRONG_SW, at=2, sw=0x6282, executed=True)
        )
        assert [card.transmit(READ).hex() for _ in range(3)] == ["6581", "6282", "9000"]
        assert (len(inner.commands), pulls) == (2, [])

    def test_internal_error(self) -> None:
        card, inner, _ = faulty(Fault(FaultKind.INTERNAL_ERROR, at=1))
        assert card.transmit(READ).hex() == "6f00"
        assert inner.commands == []

    @pytest.mark.parametrize("kind", LOSING)
    def test_an_answer_that_never_comes_loses_the_card_until_it_is_switched_on(self, kind: FaultKind) -> None:
        card, inner, pulls = faulty(Fault(kind, at=1, back_after=2.5))
        with pytest.raises(ReaderGone, match="planned fault"):
            card.transmit(READ)
        with pytest.raises(ReaderGone):
            card.transmit(READ)
        assert pulls == [2.5]
        assert len(inner.commands) == (1 if kind is FaultKind.DROP else 0)
        assert inner.powered is (kind in (FaultKind.DROP, FaultKind.MUTE))
        assert card.reset() == ATR
        assert card.transmit(READ) == OK
        assert inner.power_ons == 2

    @pytest.mark.parametrize("kind", FaultKind)
    def test_each_fault_is_told_with_the_command_it_meets(self, kind: FaultKind) -> None:
        told: list[str] = []
        plan = (Fault(kind, at=3, sw=0x6581),)
        card = FaultyCard(CountingCard(), Injector(plan), tell=told.append)
        card.power_on()
        with contextlib.suppress(ReaderGone):
            for apdu in (READ, SELECT, READ):
                card.transmit(apdu)
        assert told == [SENTENCES[kind]]

    @pytest.mark.parametrize("kind", LOSING)
    def test_a_pulled_card_fails_nobody(self, kind: FaultKind) -> None:
        card, _, pulls = faulty(Fault(kind, at=2))
        served = PulledCard(card)
        assert [served.transmit(READ).hex() for _ in range(2)] == ["9000", "6f00"]
        assert (len(pulls), served.reset(), served.transmit(READ)) == (1, ATR, OK)

    @pytest.mark.parametrize("kind", LOSING)
    def test_in_process_it_is_an_error_of_the_link(self, kind: FaultKind) -> None:
        link = InProcessLink(FaultyCard(CountingCard(), Injector((Fault(kind, at=2),))))
        assert link.transmit(READ) == OK
        with pytest.raises(ReaderGone):
            link.transmit(READ)
        link.reset()
        assert link.transmit(READ) == OK
        link.close()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[[fault]]\nkind = "explode"', "x.toml:2: there is no fault 'explode'"),
        ('[[fault]]\nkind = "drop"\nat = 0', "x.toml:3: at is 0"),
        ('[[fault]]\nkind = "drop"\nchance = 2', "x.toml:3: chance is not allowed"),
        ('[[fault]]\nkind = "wrong-sw"\nsw = "90"', "x.toml:3: '90' is no status word"),
        ('[[fault]]\nkind = "drop"\nchanse = 1', "did you mean 'chance'?"),
        ("fault = 3", "a plan has faults"),
        ("", "a plan has faults"),
        ("[[fault", "not TOML"),
    ],
)
def test_what_is_wrong_with_a_plan_is_told_with_its_line(text: str, complaint: str) -> None:
    with pytest.raises(ScriptError) as caught:
        parse_plan(text, "x.toml")
    assert complaint in str(caught.value)


def test_a_plan_is_read() -> None:
    text = '[[fault]]\nkind = "wrong-sw"\ncommand = "READ*"\nat = 3\nsw = "6581"\nexecuted = true\nback_after = 2'
    assert parse_plan(text, "x.toml") == (
        Fault(FaultKind.WRONG_SW, "READ*", 3, 1.0, 0, 0x6581, executed=True, back_after=2.0),
    )


class FakeBridge:
    """Serves until it is stopped."""

    peer = "nowhere:0"

    def __init__(self, begun: threading.Semaphore) -> None:
        self._begun = begun
        self._stop = threading.Event()

    def run(self) -> None:
        self._begun.release()
        self._stop.wait(10)

    def stop(self) -> None:
        self._stop.set()


def test_a_card_that_was_pulled_comes_back_and_one_that_is_taken_out_does_not() -> None:
    begun = threading.Semaphore(0)
    bridge = ReturningBridge(lambda: FakeBridge(begun))
    thread = threading.Thread(target=bridge.run)
    thread.start()
    try:
        assert begun.acquire(timeout=10)
        bridge.pull(0.0)
        assert begun.acquire(timeout=10)
    finally:
        bridge.stop()
        thread.join(10)
    assert not thread.is_alive()
    assert not begun.acquire(blocking=False)
