"""Puts the packets of one RTP source in order by their sequence numbers (RFC 3550 clause 5.1 and appendix A.1).

A capture has all the time there is, so nothing is played by the clock: a packet waits until those before it are there,
or until so many wait that the missing ones are given up.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from card.lean import lean_dataclass

DEPTH: Final = 16
"""Packets that wait at most."""

MOST_AHEAD: Final = 3_000
"""A sequence number further ahead is a new start, no gap: MAX_DROPOUT of RFC 3550."""

MOST_BEHIND: Final = 1_000
"""One further behind is a new start, too. More than RFC 3550 has, since packets here may have waited for their key."""

_SEQUENCES = 1 << 16
_T = TypeVar("_T")


@lean_dataclass(frozen=True, slots=True)
class InOrder(Generic[_T]):
    """One item whose turn it is. `anew`: it has nothing to do with the one before."""

    item: _T
    anew: bool


@dataclass(order=True, slots=True)
class _Waiting(Generic[_T]):
    index: int
    item: _T = field(compare=False)


class JitterBuffer(Generic[_T]):
    """Takes the items of one source as they arrive and gives them in order. At most `depth` of them wait.

    `late` counts those that came when their turn was over, copies among them.
    """

    def __init__(self, depth: int = DEPTH) -> None:
        self.late = 0
        self._depth = depth
        self._waiting: list[_Waiting[_T]] = []
        self._next: int | None = None  # the index whose turn it is; none at a start, where any may be the first
        self._highest: int | None = None
        self._anew = True

    def passes(self, sequence: int) -> bool:
        """Tell whether an item is the very next one and nothing waits, as nearly always; it counts as given then."""
        if self._waiting or self._next is None or (sequence - self._next) % _SEQUENCES:
            return False
        self._highest = self._next
        self._next += 1
        return True

    def put(self, sequence: int, item: _T) -> Iterator[InOrder[_T]]:
        """Take an item with its sequence number (16 bits) and yield those whose turn it is now."""
        index = self._index(sequence)
        if index is None:
            yield from self.drain()
            index = sequence
        if self._next is not None and index < self._next:
            self.late += 1
            return
        self._highest = index if self._highest is None else max(self._highest, index)
        heapq.heappush(self._waiting, _Waiting(index, item))
        while self._waiting and (len(self._waiting) > self._depth or self._waiting[0].index == self._next):
            yield self._pop()

    def drain(self) -> Iterator[InOrder[_T]]:
        """Yield what still waits, in order. What comes then is a new start."""
        while self._waiting:
            yield self._pop()
        self._next = self._highest = None
        self._anew = True

    def _index(self, sequence: int) -> int | None:
        """Return the sequence number without its wraps; None where it makes a new start."""
        if self._highest is None:
            return sequence
        half = _SEQUENCES // 2
        distance = (sequence - self._highest + half) % _SEQUENCES - half
        return self._highest + distance if -MOST_BEHIND <= distance <= MOST_AHEAD else None

    def _pop(self) -> InOrder[_T]:
        first = heapq.heappop(self._waiting)
        while self._waiting and self._waiting[0].index == first.index:
            heapq.heappop(self._waiting)
            self.late += 1
        self._next = first.index + 1
        anew, self._anew = self._anew, False
        return InOrder(first.item, anew)
