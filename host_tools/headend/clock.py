"""The network's time, which comes in from outside."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol


class NetworkClock(Protocol):
    """Tells the network what time it is."""

    def now(self) -> datetime:
        """Return the time, with its zone."""


class ManualClock:
    """A clock that moves only when told to."""

    def __init__(self, start: datetime) -> None:
        """Take the first time, with its zone."""
        self._now = start

    def now(self) -> datetime:
        """Return the time that was reached."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self._now += timedelta(seconds=seconds)
