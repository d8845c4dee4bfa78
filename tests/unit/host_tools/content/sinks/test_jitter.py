"""The jitter buffer: order, bounds, what is too late, and what is a new start."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tools.content.sinks.jitter import DEPTH, MOST_AHEAD, MOST_BEHIND, JitterBuffer


def play(sequences: Iterable[int], depth: int = DEPTH) -> tuple[list[int], list[int], int]:
    """Return the order of play, the places at which something began anew, and how many were late."""
    buffer: JitterBuffer[int] = JitterBuffer(depth)
    out = [found for sequence in sequences for found in buffer.put(sequence % 65536, sequence)]
    out += buffer.drain()
    return [found.item for found in out], [at for at, found in enumerate(out) if found.anew], buffer.late


@pytest.mark.parametrize("first", [0, 1000, 65_530])
def test_neighbours_that_changed_places(first: int) -> None:
    order = [first + offset for offset in (1, 0, 2, 4, 3, 5, 7, 6, 8, 9)]
    assert play(order) == (sorted(order), [0], 0)


def test_what_is_missing_is_given_up_when_enough_wait() -> None:
    buffer: JitterBuffer[int] = JitterBuffer(4)
    assert [list(buffer.put(number, number)) for number in (0, 1)] == [[], []]
    given = [[found.item for found in buffer.put(number, number)] for number in (2, 3, 4, 6, 7, 8, 9, 10)]
    assert given == [[], [], [0, 1, 2, 3, 4], [], [], [], [], [6, 7, 8, 9, 10]]
    assert list(buffer.put(5, 5)) == []
    assert buffer.late == 1


@pytest.mark.parametrize("depth", [1, DEPTH])
def test_a_copy_is_late(depth: int) -> None:
    assert play([1, 2, 2, 2, 3], depth) == ([1, 2, 3], [0], 2)


@pytest.mark.parametrize("jump", [MOST_AHEAD + 1, -MOST_BEHIND - 1, 32_768])
def test_a_jump_is_a_new_start(jump: int) -> None:
    before = list(range(10_000, 10_010))
    after = list(range(10_009 + jump, 10_019 + jump))
    assert play([*before, *after]) == ([*before, *after], [0, 10], 0)


@pytest.mark.parametrize("gap", [2, 500, MOST_AHEAD])
def test_a_gap_is_none(gap: int) -> None:
    assert play([1, 1 + gap]) == ([1, 1 + gap], [0], 0)


def test_behind_a_drain_anything_may_come() -> None:
    buffer: JitterBuffer[int] = JitterBuffer()
    list(buffer.put(500, 500))
    assert [found.item for found in buffer.drain()] == [500]
    assert list(buffer.put(400, 400)) == []
    assert [(found.item, found.anew) for found in buffer.drain()] == [(400, True)]
    assert buffer.late == 0


@given(st.lists(st.integers(0, 65_535), max_size=300), st.integers(1, 8))
def test_nothing_is_lost_and_little_waits(sequences: list[int], depth: int) -> None:
    buffer: JitterBuffer[int] = JitterBuffer(depth)
    played = 0
    for taken, sequence in enumerate(sequences, 1):
        played += len(list(buffer.put(sequence, sequence)))
        assert 0 <= taken - played - buffer.late <= depth
    played += len(list(buffer.drain()))
    assert played + buffer.late == len(sequences)


@given(st.permutations(range(10)), st.integers(0, 65_535))
def test_within_its_depth_any_order_becomes_the_right_one(order: list[int], first: int) -> None:
    assert play([first + number for number in order]) == ([first + number for number in range(10)], [0], 0)
