"""What comes in from outside: time and randomness."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Rng(Protocol):
    """A source of random bytes."""

    def random_bytes(self, count: int, /) -> bytes:
        """Return `count` bytes."""


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Return the time, with its zone."""
