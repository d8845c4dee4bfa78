"""Media packets counted in slices of time: few of them, however long a programme is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from host_tools.chronicle.model import MediaFate, Slice
from host_tools.content.rtp import MOST_AHEAD, MOST_BEHIND

MOST = 480
"""Slices of one service at most."""

_FIRST_WIDTH = 0.125  # seconds; it doubles when there are too many


class Slices:
    """Counts packets by the time they came, and by fate."""

    def __init__(self) -> None:
        self._width = _FIRST_WIDTH
        self._counts: dict[int, Counter[MediaFate]] = {}

    def add(self, at: float, fate: MediaFate, count: int = 1) -> None:
        """Count packets at a moment (seconds from the beginning, not below 0). A negative count takes some back."""
        number = int(max(at, 0.0) / self._width)
        while number >= MOST:
            self._widen()
            number = int(max(at, 0.0) / self._width)
        self._counts.setdefault(number, Counter())[fate] += count

    def _widen(self) -> None:
        self._width *= 2
        merged: dict[int, Counter[MediaFate]] = {}
        for number, counted in self._counts.items():
            merged.setdefault(number // 2, Counter()).update(counted)
        self._counts = merged

    def slices(self) -> tuple[Slice, ...]:
        """Return the slices that have packets, in order."""
        return tuple(
            Slice(number * self._width, (number + 1) * self._width, +counted)
            for number, counted in sorted(self._counts.items())
            if +counted
        )


class Gaps:
    """Finds the packets of one source that never came, by its sequence numbers (RFC 3550 appendix A.3)."""

    def __init__(self) -> None:
        self._next: int | None = None
        self._last = 0.0
        self._missing: dict[int, float] = {}

    def take(self, sequence: int, at: float) -> tuple[Sequence[float], float | None]:
        """Take a packet; return when those missing before it should have come, and since when it was missing itself.

        They are spread evenly over the time since the packet before them. The second is None for one that was not
        missing.
        """
        ahead = 0 if self._next is None else sequence - self._next & 0xFFFF
        if ahead >= 0x10000 - MOST_BEHIND:
            return (), self._missing.pop(sequence, None)
        if ahead > MOST_AHEAD:
            self._missing.clear()
            ahead = 0
        step = (at - self._last) / (ahead + 1)
        missed = [self._last + step * number for number in range(1, ahead + 1)]
        self._missing |= {sequence - ahead + number & 0xFFFF: moment for number, moment in enumerate(missed)}
        while len(self._missing) > MOST_BEHIND:
            self._missing.pop(next(iter(self._missing)))
        self._missing.pop(sequence, None)
        self._next, self._last = sequence + 1 & 0xFFFF, at
        return missed, None
