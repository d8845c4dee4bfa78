"""When LTKMs go out again, by a clock that the test moves."""

from __future__ import annotations

from functools import partial

import pytest

from card.codec.mikey import MikeyMessage, Timestamp
from host_tools.headend.bsm.ltkm_sender import Order
from host_tools.headend.errors import HeadendError
from host_tools.headend.http.push import Route
from host_tools.headend.http.push_timers import FIRST_WAIT, MOST_TRIES, PushTimers
from tests.support.wire import TERMINAL, UsimBench

_WHOLE = FIRST_WAIT * (2 ** (MOST_TRIES + 1) - 1)


class Bench:
    def __init__(self) -> None:
        self.net = UsimBench()
        self.b_tid = self.net.session.current().username
        self.pushes = self.net.pushes
        self.timers = PushTimers(self.pushes)
        self.route = Route(TERMINAL.address, self.b_tid)

    def order(self, service: str = "one", *, credits: bool = False) -> list[bytes]:
        mint = partial(self.net.network.bsm.ltkm, service, self.b_tid)
        self.pushes.order(self.net.identity, self.route, [Order(mint, credits)])
        return [datagram.payload for datagram in self.pushes.due()]

    def due(self, now: float) -> list[bytes]:
        return [datagram.payload for datagram in self.timers.due(now)]

    def run_out(self, now: float) -> tuple[float, list[bytes]]:
        """Go from timer to timer until none is left; return the time then and what was sent."""
        sent: list[bytes] = []
        while (at := self.timers.next_at(now)) is not None:
            now = at
            sent += self.due(now)
        return now, sent


@pytest.fixture
def bench() -> Bench:
    return Bench()


def t_of(ltkm: bytes) -> int:
    return MikeyMessage.decode(ltkm).one(Timestamp).value


def test_nothing_is_outstanding(bench: Bench) -> None:
    assert bench.timers.next_at(0) is None
    assert bench.due(1e9) == []


def test_a_plain_key_goes_again_with_the_next_t_and_waits_longer_each_time(bench: Bench) -> None:
    (first,) = bench.order()
    assert bench.timers.next_at(100.0) == 100.0 + FIRST_WAIT
    assert bench.due(100.0 + FIRST_WAIT - 0.1) == []
    now, sent = bench.run_out(100.0)
    assert [t_of(ltkm) for ltkm in sent] == [t_of(first) + count for count in range(1, MOST_TRIES + 1)]
    assert now == 100.0 + _WHOLE
    assert bench.timers.resent == MOST_TRIES


def test_after_the_last_try_the_next_key_follows(bench: Bench) -> None:
    bench.order()
    assert bench.order("two") == []
    now, sent = bench.run_out(0)
    # The first key and its tries, then the second and its own.
    assert len(sent) == MOST_TRIES + 1 + MOST_TRIES
    assert bench.pushes.outstanding() == {}
    assert now == 2 * _WHOLE


def test_what_credits_goes_again_as_the_same_octets_and_is_never_given_up(bench: Bench) -> None:
    (first,) = bench.order(credits=True)
    assert bench.order("two") == []
    now, sent = bench.run_out(0)
    assert sent == [first] * MOST_TRIES
    assert [credits for _, credits in bench.pushes.outstanding().values()] == [True]
    # A further order starts the timer again, and nothing with a higher T goes out.
    assert bench.order("two") == []
    assert bench.timers.next_at(now) == now + FIRST_WAIT
    assert bench.due(now + FIRST_WAIT) == [first]


def test_an_acknowledgement_stops_the_timer(bench: Bench) -> None:
    bench.order()
    bench.timers.next_at(0)
    (datagram,) = bench.pushes.again(bench.net.identity)
    (answer,) = bench.net.key_port(bench.net.middleware).received(datagram)
    bench.pushes.received(answer)
    assert bench.timers.next_at(0) is None
    assert bench.due(1e9) == []


def test_a_new_registration_has_timers_of_its_own(bench: Bench) -> None:
    bench.order()
    now, _ = bench.run_out(0)
    mint = partial(bench.net.network.bsm.ltkm, "two", bench.b_tid)
    bench.pushes.restart(bench.net.identity, bench.route, [Order(mint)])
    assert len(bench.pushes.due()) == 1
    assert bench.timers.next_at(now) == now + FIRST_WAIT


def test_under_an_smk_that_is_not_known_nothing_goes_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_ltkm: bytes) -> bytes:
        raise HeadendError("the SMK is gone")

    bench.order()
    bench.timers.next_at(0)
    monkeypatch.setattr(bench.net.network.bsm, "renewed", refuse)
    assert bench.due(FIRST_WAIT) == []
    assert bench.pushes.outstanding() == {}
