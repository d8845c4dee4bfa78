"""The time and the randomness of this computer, for what runs on real wires."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from time import monotonic


class SystemClock:
    """Tells the time of the computer."""

    def now(self) -> datetime:
        """Return the time in UTC."""
        return datetime.now(UTC)


class ShiftedClock:
    """Tells a time that goes on as fast as the computer's, from a moment that is given."""

    def __init__(self, start: datetime) -> None:
        """Take what the time is now, with its zone."""
        self._start = start
        self._began = monotonic()

    def now(self) -> datetime:
        """Return the time."""
        return self._start + timedelta(seconds=monotonic() - self._began)


class SystemRng:
    """Randomness of the operating system."""

    def random_bytes(self, count: int, /) -> bytes:
        """Return `count` bytes."""
        return secrets.token_bytes(count)
