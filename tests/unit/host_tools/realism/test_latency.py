"""Latency: learned, written, read, drawn from, and waited for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tools.realism.latency import LatencyError, LatencyProfile, latency_name, learn_latency, parse_latency
from host_tools.realism.slow import SlowCard
from host_tools.script.errors import ScriptError
from host_tools.trace.events import CardEvent, TracedExchange
from tests.unit.host_tools.realism.cards import OK, READ, SELECT, CountingCard

AUTHENTICATE = bytes.fromhex("0088008100")


def exchange(command: bytes, seconds: float, response: bytes = OK) -> TracedExchange:
    return TracedExchange(1, 0.0, "reader", command, response, seconds)


def learned() -> LatencyProfile:
    reads = [exchange(READ, n / 100) for n in range(1, 12)]
    return learn_latency([CardEvent(1, 0.0, "reader", "power on"), *reads, exchange(SELECT, 0.5)])


def test_quantiles_follow_the_trace() -> None:
    profile = learned()
    assert profile.seconds(READ, 0.0) == 0.01
    assert profile.seconds(READ, 0.5) == pytest.approx(0.06)
    assert profile.seconds(READ, 0.55) == pytest.approx(0.065)
    assert profile.seconds(READ, 1.0) == pytest.approx(0.11)
    assert profile.seconds(SELECT, 0.3) == 0.5


def test_an_unknown_command_takes_as_long_as_any() -> None:
    assert learned().seconds(bytes.fromhex("80F2000000"), 1.0) == 0.5


def test_authentication_is_learned_by_context() -> None:
    assert latency_name(AUTHENTICATE) == "AUTHENTICATE P2 81"
    assert latency_name(READ) == "READ BINARY"
    assert latency_name(b"") == "no APDU"


def test_without_answers_nothing_is_learned() -> None:
    with pytest.raises(LatencyError, match="no answered command"):
        learn_latency([exchange(READ, 1.0, b""), exchange(READ, 0.0)])  # no answer; an unknown duration


def test_text_and_back() -> None:
    profile = learned()
    again = parse_latency(profile.to_toml(), "x.toml")
    assert again.commands.keys() == profile.commands.keys()
    for name, deciles in profile.commands.items():
        assert again.commands[name] == pytest.approx(deciles, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("latency = 5", "x.toml:1: a table is wanted here"),
        ("[latency]\ndefault = [1, 2]", "x.toml:2: these are no times"),
        ("[latency]\ndefault = [11,10,9,8,7,6,5,4,3,2,1]", "none smaller than the one before"),
        ("[latency]\ndefault = [0,0,0,0,0,0,0,0,0,0,1e9]", "from 0 to 60000"),
        ("[latency]\ndefalt = []", "did you mean 'default'?"),
        ("[latency", "not TOML"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, complaint: str) -> None:
    with pytest.raises(ScriptError) as caught:
        parse_latency(text, "x.toml")
    assert complaint in str(caught.value)


@given(times=st.lists(st.floats(1e-6, 10), min_size=1, max_size=50), chance=st.floats(-1, 2))
def test_a_drawn_time_lies_between_the_extremes(times: list[float], chance: float) -> None:
    profile = learn_latency(exchange(READ, seconds) for seconds in times)
    drawn = profile.seconds(READ, chance)
    assert min(times) - 1e-9 <= drawn <= max(times) + 1e-9


class Time:
    """A clock that only sleeping and working move."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now


def slow_card(time: Time, card: CountingCard, seed: int = 1) -> SlowCard:
    card.power_on()
    return SlowCard(card, learned(), seed, sleep=time.sleep, clock=time.clock)


def test_a_slow_card_waits_and_answers_the_same() -> None:
    time, card = Time(), CountingCard()
    assert slow_card(time, card).transmit(SELECT) == OK
    assert (time.slept, card.commands) == ([0.5], [SELECT])


def test_the_same_seed_gives_the_same_delays() -> None:
    delays = []
    for seed in (7, 7, 8):
        time = Time()
        card = slow_card(time, CountingCard(), seed)
        for _ in range(5):
            card.transmit(READ)
        delays.append(time.slept)
    assert delays[0] == delays[1] != delays[2]


def test_what_the_emulator_took_counts() -> None:
    time = Time()

    class Working(CountingCard):
        def transmit(self, apdu: bytes) -> bytes:
            time.now += 0.4
            return super().transmit(apdu)

    slow_card(time, Working()).transmit(SELECT)
    assert time.slept == [pytest.approx(0.1)]
