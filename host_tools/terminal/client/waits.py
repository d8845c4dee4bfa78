"""How long the client waits, and how often it tries: one place for all of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from host_tools.exchange.ports import Rng

_STEPS = 1 << 32


@dataclass(frozen=True, slots=True)
class WaitingTime:
    """Before an MSK request: `offset` and a part of `random`, in seconds, as the security description says.

    They are its offsetTime and randomTimePeriod (TS 26.346 clauses 11.3, 9.3.4). A terminal waits before every request
    but the one that answers a solicited pull (TS 33.246 clause 6.3.2.2.1).
    """

    offset: float = 0.0
    random: float = 0.0

    def draw(self, rng: Rng) -> float:
        """Return how many seconds to wait this time, uniform over the period."""
        return self.offset + self.random * fraction(rng)


@dataclass(frozen=True, slots=True)
class Waits:
    """All numbers of the client that no text fixes (ours); times in seconds.

    `missing` are the times after which a key that did not come is asked for, one after the other; then the user is
    told. `back_off` begins at the first and is doubled up to the last; `jitter` is the share of it that is random.
    `least` is the shortest wait for a server that is busy, whatever it says. `same_key`: how soon the key of an STKM is
    asked for again (or after a crypto period, where that is shorter), which is doubled up to the second number.
    `same_group`: within what time a message that nobody checked leads to one request for a group, and the longest wait
    for its current key where STKMs name too many keys of it.
    """

    least: float = 1.0
    back_off: float = 60.0
    longest_back_off: float = 3600.0
    jitter: float = 0.2
    missing: tuple[float, ...] = (5.0, 10.0, 20.0, 40.0)
    resends: int = 2
    stale: int = 2
    renewals: int = 1
    same_group: float = 30.0
    same_key: tuple[float, float] = (2.0, 300.0)
    between_triggers: float = 10.0
    parts_of_a_message: float = 300.0

    def after(self, failures: int, rng: Rng) -> float:
        """Return how long to back off after so many failures in a row (1 is the first)."""
        longest = min(self.back_off * 2.0 ** min(failures - 1, 32), self.longest_back_off)
        return longest * (1.0 - self.jitter * fraction(rng))

    def busy(self, said: float, failures: int) -> float:
        """Return how long to wait where a server says so: at least `least`, which is doubled up to `back_off`.

        One that goes on to say "0", or a date that is over, would be asked without a pause.
        """
        return max(said, min(self.least * 2.0 ** min(failures - 1, 32), self.back_off))


def fraction(rng: Rng) -> float:
    """Return a number from 0 up to and without 1, uniform."""
    return int.from_bytes(rng.random_bytes(4), "big") / _STEPS


def seconds(moment: float) -> timedelta:
    """Return seconds as a length of time."""
    return timedelta(seconds=moment)
