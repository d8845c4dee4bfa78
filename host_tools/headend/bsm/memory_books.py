"""The books of the BSM in memory: gone with the process, and bounded. A transaction that fails is not taken back.

Where a request must be done as a whole or not at all, the books are those of `store`.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from host_tools.exchange.transport import Endpoint
from host_tools.headend.bounded import BoundedTable
from host_tools.headend.bsm.books import (
    MOST_REQUESTS,
    REQUEST_LIFE,
    REQUESTS_FOR_GOOD,
    Answered,
    Books,
    Letter,
    Line,
    Outbox,
    OutboxFigures,
    Outstanding,
    Registered,
    Transaction,
)
from host_tools.headend.bsm.orders import Order
from host_tools.headend.errors import HeadendError
from host_tools.headend.subscribers.memory import MOST_SUBSCRIBERS

MOST_ORDERS = 1024
"""How many orders may wait for one subscriber."""
OUTSTANDING_OF_A_SUBSCRIBER = 4
"""One under each SMK that may still be of use."""
RECORDS_OF_A_KIND = 1024
"""How many records of one kind a subscriber may have."""
MOST_LETTERS = 10_000
"""How many datagrams that nobody acknowledges may wait in all."""
_REQUESTS_IN_ALL = 100_000
_RECORDS_IN_ALL = 1_000_000


def too_many_orders() -> HeadendError:
    """Return the error of an outbox that is full for one subscriber."""
    return HeadendError(f"{MOST_ORDERS} LTKMs wait for this terminal already")


def too_many_records() -> HeadendError:
    """Return the error of a subscriber that has too much written down."""
    return HeadendError(f"{RECORDS_OF_A_KIND} records of a kind are kept for a subscriber, and no more")


def too_many_requests() -> HeadendError:
    """Return the error where as many answered requests are kept as may be."""
    return HeadendError("too many requests were answered within a day: later")


class NoTransaction:
    """A transaction that keeps everything at once."""

    def void(self) -> None:
        """Do nothing."""


class MemoryTransactions:
    """Transactions of what is in memory."""

    def hold(self, identity: str) -> None:
        """Do nothing: there is one process."""

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Yield a transaction that keeps everything at once."""
        yield NoTransaction()


class MemoryRegistrations:
    """Who is registered for what."""

    def __init__(self) -> None:
        self._registered: BoundedTable[str, Registered] = BoundedTable(1, MOST_SUBSCRIBERS)

    def find(self, identity: str) -> Registered | None:
        """Return what a subscriber is registered for, None for nothing."""
        return self._registered.get(identity)

    def put(self, identity: str, registered: Registered) -> None:
        """Register a subscriber; what was before is replaced."""
        self._registered.put(identity, identity, registered)

    def drop(self, identity: str) -> None:
        """Take a registration away, if there is one."""
        self._registered.pop(identity)

    def count(self) -> int:
        """Return how many subscribers are registered."""
        return len(self._registered)

    def page(self, after: str, most: int) -> tuple[tuple[str, Registered], ...]:
        """Return the next registrations behind an identity, by identity, at most so many."""
        names = heapq.nsmallest(most, (name for name in self._registered if name > after))
        return tuple((name, found) for name in names if (found := self._registered.get(name)) is not None)


class MemoryOutbox:
    """What is on its way to subscribers."""

    def __init__(self) -> None:
        self._lines: BoundedTable[str, Line] = BoundedTable(1, MOST_SUBSCRIBERS)
        self._times: list[tuple[float, str]] = []  # a heap; an entry counts while its line still says the same
        self._orders: dict[str, deque[tuple[int, Order]]] = {}
        self._number = 0
        self._outstanding: BoundedTable[str, Outstanding] = BoundedTable(
            OUTSTANDING_OF_A_SUBSCRIBER, OUTSTANDING_OF_A_SUBSCRIBER * MOST_SUBSCRIBERS
        )

    def hold(self, identity: str) -> None:
        """Do nothing: there is one process."""

    def line(self, identity: str) -> Line | None:
        """Return the way to a subscriber."""
        return self._lines.get(identity)

    def put_line(self, line: Line) -> None:
        """Keep the way to a subscriber in the place of the one before."""
        before = self._lines.get(line.identity)
        self._lines.put(line.identity, line.identity, line)
        if line.at is not None and (before is None or before.at != line.at):
            heapq.heappush(self._times, (line.at, line.identity))
            if len(self._times) > 64 + 2 * len(self._lines):
                self._times = sorted(
                    (one.at, one.identity) for one in self._lines.values() if one.at is not None
                )  # old entries, which count no more, go

    def due(self, now: float, most: int) -> tuple[Line, ...]:
        """Return lines that are to be looked at, the longest waiting first."""
        found: dict[str, Line] = {}
        while len(found) < most and (at := self.next_at()) is not None and at <= now:
            _, identity = heapq.heappop(self._times)
            line = self._lines.get(identity)
            if line is not None:
                found[identity] = line
        for line in found.values():
            heapq.heappush(self._times, (line.at or 0.0, line.identity))
        return tuple(found.values())

    def next_at(self) -> float | None:
        """Return when the next line is due, None when none will be."""
        while self._times:
            at, identity = self._times[0]
            line = self._lines.get(identity)
            if line is not None and line.at == at:
                return at
            heapq.heappop(self._times)
        return None

    def orders(self, identity: str) -> tuple[tuple[int, Order], ...]:
        """Return what waits for a subscriber in its order, each with its number."""
        return tuple(self._orders.get(identity, ()))

    def first(self, identity: str) -> tuple[int, Order] | None:
        """Return the order that goes next, with its number."""
        waiting = self._orders.get(identity)
        return waiting[0] if waiting else None

    def add(self, identity: str, order: Order, *, ahead: bool = False) -> None:
        """Put an order behind those that wait, or `ahead` of them. Raises `HeadendError` when too many do."""
        waiting = self._orders.setdefault(identity, deque())
        if len(waiting) >= MOST_ORDERS:
            raise too_many_orders()
        self._number += 1
        entry = self._number, order
        if ahead:
            waiting.appendleft(entry)
        else:
            waiting.append(entry)

    def drop(self, identity: str, number: int) -> None:
        """Take an order out."""
        waiting = self._orders.get(identity, deque())
        left = deque(entry for entry in waiting if entry[0] != number)
        if left:
            self._orders[identity] = left
        else:
            self._orders.pop(identity, None)

    def outstanding(self, b_tid: str) -> Outstanding | None:
        """Return what was sent under this B-TID (or NAI) and is not acknowledged."""
        return self._outstanding.get(b_tid)

    def outstanding_of(self, identity: str) -> tuple[Outstanding, ...]:
        """Return what a subscriber has not acknowledged, the oldest first."""
        found = (self._outstanding.get(b_tid) for b_tid in self._outstanding.of(identity))
        return tuple(one for one in found if one is not None)

    def keep(self, outstanding: Outstanding) -> None:
        """Note what was sent, in the place of what was outstanding under the same B-TID."""
        self._outstanding.put(outstanding.identity, outstanding.b_tid, outstanding)

    def settle(self, b_tid: str) -> None:
        """Wait no longer for the answer under this B-TID."""
        self._outstanding.pop(b_tid)

    def figures(self) -> OutboxFigures:
        """Return how much waits in all."""
        of_now = {line.route.b_tid for line in self._lines.values()}
        doubtful = sum(one.b_tid not in of_now for one in self._outstanding.values())
        waiting = sum(map(len, self._orders.values()))
        return OutboxFigures(len(self._lines), waiting, len(self._outstanding), doubtful)


class MemoryRequests:
    """Requests that were answered. Of all subscribers together the oldest gives way once its life is over."""

    def __init__(self) -> None:
        self._answered: BoundedTable[tuple[str, str], Answered] = BoundedTable(MOST_REQUESTS, _REQUESTS_IN_ALL)

    def find(self, identity: str, request_id: str) -> Answered | None:
        """Return what was answered to a request, None for a new one."""
        return self._answered.get((identity, request_id))

    def make_room(self, identity: str, now: float) -> None:
        """Forget what need not be kept any more. Raises `HeadendError` when there is no room for one more."""
        for key in self._answered.of(identity)[:-REQUESTS_FOR_GOOD]:
            found = self._answered.get(key)
            if found is not None and found.at <= now - REQUEST_LIFE:
                self._answered.pop(key)
        oldest = self._answered.oldest()
        full = len(self._answered) >= _REQUESTS_IN_ALL and oldest is not None and oldest.at > now - REQUEST_LIFE
        if full or len(self._answered.of(identity)) >= MOST_REQUESTS:
            raise too_many_requests()

    def keep(self, identity: str, request_id: str, answered: Answered) -> None:
        """Keep the answer to a request."""
        self._answered.put(identity, (identity, request_id), answered)


class MemoryRecords:
    """Small records of subscribers."""

    def __init__(self) -> None:
        self._records: dict[tuple[str, str], dict[str, bytes]] = {}
        self._count = 0

    def find(self, kind: str, identity: str, name: str) -> bytes | None:
        """Return a record, None where there is none."""
        return self._records.get((kind, identity), {}).get(name)

    def put(self, kind: str, identity: str, name: str, value: bytes) -> None:
        """Keep a record in the place of the one before. Raises `HeadendError` when there are too many."""
        mine = self._records.setdefault((kind, identity), {})
        if name not in mine:
            if len(mine) >= RECORDS_OF_A_KIND or self._count >= _RECORDS_IN_ALL:
                raise too_many_records()
            self._count += 1
        mine[name] = value

    def drop(self, kind: str, identity: str, name: str) -> None:
        """Take a record away, if there is one."""
        mine = self._records.get((kind, identity), {})
        if mine.pop(name, None) is not None:
            self._count -= 1
        if not mine:
            self._records.pop((kind, identity), None)

    def of(self, kind: str, identity: str) -> dict[str, bytes]:
        """Return all records of a kind of one subscriber, by name."""
        return dict(self._records.get((kind, identity), {}))


class MemoryLetters:
    """Datagrams that nobody acknowledges, until they are out."""

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[float, Letter]] = {}
        self._number = 0

    def add(self, place: Endpoint, payload: bytes, now: float) -> None:
        """Keep a datagram that is to go out now."""
        if len(self._waiting) >= MOST_LETTERS:
            del self._waiting[next(iter(self._waiting))]
        self._number += 1
        self._waiting[self._number] = now, Letter(self._number, place, payload)

    def due(self, now: float, again: float, most: int) -> tuple[Letter, ...]:
        """Return what is to go out, the oldest first; it is due `again` at that time, unless it was dropped by then."""
        found = tuple(letter for at, letter in self._waiting.values() if at <= now)[:most]
        for letter in found:
            self._waiting[letter.number] = again, letter
        return found

    def drop(self, numbers: Collection[int]) -> None:
        """Take out what has gone."""
        for number in numbers:
            self._waiting.pop(number, None)


def memory_books() -> Books:
    """Return empty books."""
    outbox: Outbox = MemoryOutbox()
    return Books(
        MemoryTransactions(), MemoryRegistrations(), outbox, MemoryRequests(), MemoryRecords(), MemoryLetters()
    )
