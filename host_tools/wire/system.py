"""The time and the randomness of this computer, for what runs on real wires."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime


class SystemClock:
    """Tells the time of the computer."""

    def now(self) -> datetime:
        """Return the time in UTC."""
        return datetime.now(UTC)


class SystemRng:
    """Randomness of the operating system."""

    def random_bytes(self, count: int, /) -> bytes:
        """Return `count` bytes."""
        return secrets.token_bytes(count)
