"""Two long series side by side: what is found, that nothing is lost, and that little of them is held."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tools.trace.align import WINDOWS, Stretch, align


def numbers(*ranges: range) -> list[int]:
    return list(chain(*ranges))


def found(left: Iterable[int], right: Iterable[int]) -> list[Stretch[int]]:
    return list(align(left, right, lambda number: number.to_bytes(4, "big")))


def unequal(left: Iterable[int], right: Iterable[int]) -> list[tuple[list[int], list[int]]]:
    return [(list(one.left), list(one.right)) for one in found(left, right) if not one.is_equal]


@pytest.mark.parametrize("count", [0, 1, 127, 128, 5000])
def test_equal_series(count: int) -> None:
    assert unequal(range(count), range(count)) == []
    assert sum(len(one.left) for one in found(range(count), range(count))) == count


@pytest.mark.parametrize("inserted", [1, 100, 300, 1500])
@pytest.mark.parametrize("at", [0, 1, 3000, 6000])
def test_what_only_one_has_is_found_as_such(at: int, inserted: int) -> None:
    more = list(range(10_000, 10_000 + inserted))
    plain, longer = numbers(range(6000)), numbers(range(at), range(10_000, 10_000 + inserted), range(at, 6000))
    one, other = unequal(plain, longer), unequal(longer, plain)
    assert ([left for left, _ in one], numbers(*(range(r[0], r[-1] + 1) for _, r in one))) == ([[]] * len(one), more)
    assert ([right for _, right in other], [n for left, _ in other for n in left]) == ([[]] * len(other), more)


def test_many_small_differences() -> None:
    left = numbers(range(20_000))
    right = [number + 100_000 if number % 50 == 0 else number for number in left]
    assert unequal(left, right) == [([number], [number + 100_000]) for number in range(0, 20_000, 50)]


def test_very_many_equal_elements_are_compared_place_by_place() -> None:
    left, right = [7] * 6000, [7 if number % 2 else 8 for number in range(5999)]
    assert unequal(left, right) == [*(([7], [8]) for _ in range(3000)), ([7], [])]


class Counted:
    """A series that knows how much of it was read."""

    def __init__(self, series: Iterable[int]) -> None:
        self._series = series
        self.read = 0

    def __iter__(self) -> Iterator[int]:
        for number in self._series:
            self.read += 1
            yield number


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (range(100_000), range(100_000)),
        (range(100_000), range(200_000, 300_000)),
        (range(100_000), range(50, 100_050)),
        (range(100_000), range(0)),
        (range(20_000), chain(range(10_000), range(50_000, 60_000), range(10_000, 20_000))),
    ],
)
def test_little_is_held_however_long_the_series_are(left: Iterable[int], right: Iterable[int]) -> None:
    a, b = Counted(left), Counted(right)
    given_left = given_right = 0
    for one in align(a, b, lambda number: number.to_bytes(4, "big")):
        assert a.read - given_left <= WINDOWS[-1]
        assert b.read - given_right <= WINDOWS[-1]
        given_left, given_right = given_left + len(one.left), given_right + len(one.right)
    assert (given_left, given_right) == (a.read, b.read)


few = st.lists(st.integers(0, 4), max_size=400)


@given(few, few)
def test_every_element_of_both_is_accounted_for(left: list[int], right: list[int]) -> None:
    stretches = found(left, right)
    assert [number for one in stretches for number in one.left] == left
    assert [number for one in stretches for number in one.right] == right
    assert all(one.left == one.right for one in stretches if one.is_equal)
    assert all(one.left != one.right for one in stretches if not one.is_equal)
