"""Clock and randomness for the tests of the exchange."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Counted:
    """Random bytes that count upwards, so that none comes twice."""

    def __init__(self) -> None:
        self._drawn = 0

    def random_bytes(self, count: int, /) -> bytes:
        self._drawn += 1
        return self._drawn.to_bytes(count, "big")


class Moving:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.time = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def move(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
