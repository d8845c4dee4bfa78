"""How late packets go out: a histogram of fixed size, from which any share can be told."""

from __future__ import annotations

from array import array

_STEP = 100e-6
_STEPS = 10_000
LATE = 2e-3
"""Seconds from which on a packet counts as late."""


class Lateness:
    """Counts delays in steps of 0.1 ms up to one second. `late` counts those of 2 ms and more."""

    def __init__(self) -> None:
        self._counts = array("q", bytes(8 * (_STEPS + 1)))
        self.count = 0
        self.late = 0
        self.worst = 0.0

    def add(self, seconds: float) -> None:
        """Count one packet that went out so long after its moment."""
        self._counts[min(max(int(seconds / _STEP), 0), _STEPS)] += 1
        self.count += 1
        self.late += seconds >= LATE
        self.worst = max(self.worst, seconds)

    def share(self, of_all: float) -> float:
        """Return the delay (seconds, rounded up to a step) that this share of all packets keeps below; 0 for none."""
        wanted, seen = of_all * self.count, 0
        for step, count in enumerate(self._counts):
            seen += count
            if count and seen >= wanted:
                return (step + 1) * _STEP
        return 0.0
