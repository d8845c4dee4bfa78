"""Axes: from a quantity to a place in a drawing, with the marks that a person reads."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

_LEAST = 1e-7  # a logarithm wants more than 0
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 86_400)


@dataclass(frozen=True, slots=True)
class LogAxis:
    """A logarithmic axis between two powers of ten, `width` long from `left`."""

    first: int
    last: int
    left: float
    width: float

    @classmethod
    def around(cls, least: float, most: float, left: float, width: float) -> LogAxis:
        """Return the shortest axis that has both values."""
        first = math.floor(math.log10(max(least, _LEAST)))
        return cls(first, max(math.ceil(math.log10(max(most, _LEAST))), first + 1), left, width)

    def at(self, value: float) -> float:
        """Return the place of a value; what is beyond an end stands at it."""
        share = (math.log10(max(value, _LEAST)) - self.first) / (self.last - self.first)
        return round(self.left + self.width * min(max(share, 0.0), 1.0), 1)


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """A linear axis of `seconds` from 0, `width` long from `left`."""

    seconds: float
    width: float
    left: float = 0.0

    def at(self, second: float) -> float:
        """Return the place of a moment; what is beyond an end stands at it."""
        return round(self.left + self.width * min(max(second / self.seconds, 0.0), 1.0), 1)

    def marks(self, most: int) -> Iterator[float]:
        """Yield round seconds, at most `most` of them."""
        step = next((step for step in _STEPS if self.seconds / step <= most), _STEPS[-1])
        while self.seconds / step > most:
            step *= 2
        yield from (number * step for number in range(int(self.seconds / step) + 1))


def clock(second: float) -> str:
    """Return a moment as people write it: 0:04, 1:02:03, with tenths where there are some."""
    tenths = round(second * 10)
    whole, tenth = divmod(tenths, 10)
    minutes, seconds = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    shown = f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
    return f"{shown}.{tenth}" if tenth else shown
