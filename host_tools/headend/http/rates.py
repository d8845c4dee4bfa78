"""How often somebody may ask for something that costs: so often within a span of time. Ours; no text says so."""

from __future__ import annotations

from datetime import datetime, timedelta

from host_tools.exchange.ports import Clock
from host_tools.headend.bounded import BoundedTable

_KEPT = 100_000


class Rates:
    """Counts by name; a span begins with the first count and ends by itself."""

    def __init__(self, most: int, span: timedelta, clock: Clock) -> None:
        """Take how often one name may be counted within a span, how long that is, and the time."""
        self._most = most
        self._span = span
        self._clock = clock
        self._counts: BoundedTable[str, tuple[datetime, int]] = BoundedTable(1, _KEPT)

    def wait(self, name: str) -> int:
        """Count one more for a name and return 0; or, when there were enough, in how many seconds there may be more."""
        now = self._clock.now()
        begun, count = self._counts.get(name) or (now, 0)
        if not timedelta() <= now - begun < self._span:
            begun, count = now, 0
        if count >= self._most:
            return max(int((begun + self._span - now).total_seconds()), 1)
        self._counts.put(name, name, (begun, count + 1))
        return 0
