"""Ports for tests: repeatable randomness, a clock that stands still, a trace that can be read."""

from __future__ import annotations

import random


class SeededRng:
    """The same bytes at every run."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)

    def random_bytes(self, count: int, /) -> bytes:
        return self._random.randbytes(count)


class FakeClock:
    """Goes on only when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


class CollectingTrace:
    """Keeps every event."""

    def __init__(self) -> None:
        self.events: list[object] = []

    def emit(self, event: object, /) -> None:
        self.events.append(event)
