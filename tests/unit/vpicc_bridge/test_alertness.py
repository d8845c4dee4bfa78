"""Staying awake only inside a burst: which command makes one, which ends it, and that nobody waits long."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.unit.vpicc_bridge.test_connection import FakeClock
from vpicc_bridge.alertness import Alertness

SECONDS = 0.5


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    made = FakeClock()
    monkeypatch.setattr("vpicc_bridge.alertness.time", made)
    return made


@pytest.fixture
def line() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair()
    with near, far:
        yield near, far


def follow(alertness: Alertness, clock: FakeClock, *pauses: float) -> list[bool]:
    """Answer a command after each pause; return whether the next one is awaited awake."""
    awake = []
    for pause in pauses:
        clock.now += pause
        alertness.received()
        alertness.answered()
        awake.append(alertness.is_awake)
    return awake


def test_awake_where_the_two_commands_before_came_in_time(clock: FakeClock) -> None:
    alertness = Alertness(SECONDS)
    assert follow(alertness, clock, 9, 0.1, 0.1, 0.1, 0.6, 0.4, 0.4, 9) == [
        False, False, True, True, False, False, True, False,
    ]  # fmt: skip


def test_pairs_of_commands_are_no_burst(clock: FakeClock) -> None:
    assert not any(follow(Alertness(SECONDS), clock, *[9, 0.1] * 10))


def test_at_a_steady_pace_that_is_no_burst_it_never_is(clock: FakeClock) -> None:
    assert not any(follow(Alertness(SECONDS), clock, *[SECONDS * 1.01] * 100))


def test_nothing_is_expected_after_something_else(clock: FakeClock) -> None:
    alertness = Alertness(SECONDS)
    assert follow(alertness, clock, 9, 0.1, 0.1) == [False, False, True]
    alertness.rest()
    assert not alertness.is_awake


def test_without_time_it_always_sleeps(clock: FakeClock) -> None:
    assert not any(follow(Alertness(0.0), clock, 0, 0, 0))


def test_what_is_there_is_taken_and_what_is_not_is_not_waited_for_long(
    clock: FakeClock, line: tuple[socket.socket, socket.socket]
) -> None:
    near, far = line
    alertness = Alertness(1e-4)
    follow(alertness, clock, 9, 0, 0)
    far.send(b"next")
    assert alertness.receive(near, 100) == b"next"
    before = clock.now
    assert alertness.receive(near, 100) is None
    assert clock.now - before < 2e-4


def test_asleep_it_does_not_look(clock: FakeClock, line: tuple[socket.socket, socket.socket]) -> None:
    near, far = line
    alertness = Alertness(SECONDS)
    follow(alertness, clock, 9)
    far.send(b"next")
    assert alertness.receive(near, 100) is None
    assert near.recv(100) == b"next"


def test_a_line_that_ends_is_told_apart_from_one_that_is_quiet(
    clock: FakeClock, line: tuple[socket.socket, socket.socket]
) -> None:
    near, far = line
    alertness = Alertness(SECONDS)
    follow(alertness, clock, 9, 0, 0)
    far.close()
    assert alertness.receive(near, 100) == b""
