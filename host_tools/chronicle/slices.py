"""Media packets counted in slices of time: few of them, however long a programme is."""

from __future__ import annotations

from collections import Counter

from host_tools.chronicle.model import MediaFate, Slice

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

    _MOST_AHEAD = 3_000  # further ahead is a new start, no gap
    _REMEMBERED = 3_000

    def __init__(self) -> None:
        self._next: int | None = None
        self._missing: dict[int, float] = {}

    def take(self, sequence: int, at: float) -> tuple[int, float | None]:
        """Take a packet; return how many are missing before it, and since when it was missing itself, if it was."""
        expected = self._next
        if expected is None:
            self._next = sequence + 1 & 0xFFFF
            return 0, None
        ahead = sequence - expected & 0xFFFF
        if ahead <= self._MOST_AHEAD:
            for number in range(ahead):
                self._missing[expected + number & 0xFFFF] = at
            while len(self._missing) > self._REMEMBERED:
                self._missing.pop(next(iter(self._missing)))
            self._missing.pop(sequence, None)
            self._next = sequence + 1 & 0xFFFF
            return ahead, None
        if ahead < 0x10000 - self._MOST_AHEAD:
            self._next, self._missing = sequence + 1 & 0xFFFF, {}
            return 0, None
        return 0, self._missing.pop(sequence, None)
