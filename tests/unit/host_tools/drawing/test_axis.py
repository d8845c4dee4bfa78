"""Axes: where a value stands, which marks there are, and how a moment is written."""

from __future__ import annotations

import pytest

from host_tools.drawing.axis import LogAxis, TimeAxis, clock


@pytest.mark.parametrize(
    ("second", "shown"), [(0, "0:00"), (4.04, "0:04"), (4.06, "0:04.1"), (61.5, "1:01.5"), (3_723, "1:02:03")]
)
def test_a_moment_as_people_write_it(second: float, shown: str) -> None:
    assert clock(second) == shown


def test_a_time_axis() -> None:
    axis = TimeAxis(24, 1_200, left=10)
    assert [axis.at(second) for second in (-1, 0, 12, 24, 99)] == [10, 10, 610, 1_210, 1_210]
    assert list(axis.marks(12)) == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24]


@pytest.mark.parametrize("seconds", [0.3, 1.0, 59.0, 3_600.0, 86_400.0, 40 * 86_400.0])
def test_never_more_marks_than_there_is_room_for(seconds: float) -> None:
    marks = list(TimeAxis(seconds, 1_000).marks(10))
    assert 2 <= len(marks) <= 11
    assert marks[-1] <= seconds


def test_a_logarithmic_axis() -> None:
    axis = LogAxis.around(0.0012, 0.05, 0, 300)
    assert (axis.first, axis.last) == (-3, -1)
    assert [axis.at(value) for value in (0.001, 0.01, 0.1, 7)] == [0, 150, 300, 300]
