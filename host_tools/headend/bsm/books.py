"""What the BSM writes down of its subscribers, and the ports behind which it is kept: in memory, or in a database.

A subscriber goes by its identity here, the same under every SMK: IMPI or NAI. Everything that one request, one datagram
or one step of a timer changes is changed within one transaction, and what goes out to others goes after it.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from card.lean import lean_dataclass
from host_tools.exchange.transport import Endpoint
from host_tools.headend.bsm.orders import Order


class Transaction(Protocol):
    """One transaction that is open."""

    def void(self) -> None:
        """Let nothing of it be kept, though no exception leaves it."""


class Transactions(Protocol):
    """Where transactions come from. One is open at a time in a process; nothing waits inside."""

    def hold(self, identity: str, /) -> None:
        """Keep other processes from working for this subscriber until the transaction ends."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Return a transaction: all of it is kept when the block ends, nothing when an exception leaves it."""


@lean_dataclass(frozen=True, slots=True)
class Route:
    """Where the pushes of a subscriber go, and under which B-TID (or NAI).

    `port` stands for the ports of key messages where terminals share an address; None: the real ones.
    """

    address: str
    b_tid: str
    port: int | None = None


@lean_dataclass(frozen=True, slots=True)
class Registered:
    """What a subscriber is registered for (serviceIDs), where its pushes go, and when it was heard last (Unix time)."""

    service_ids: tuple[str, ...]
    route: Route
    heard: float = 0.0


class Registrations(Protocol):
    """Who is registered for what."""

    def find(self, identity: str, /) -> Registered | None:
        """Return what a subscriber is registered for, None for nothing."""

    def put(self, identity: str, registered: Registered, /) -> None:
        """Register a subscriber; what was before is replaced."""

    def drop(self, identity: str, /) -> None:
        """Take a registration away, if there is one."""

    def count(self) -> int:
        """Return how many subscribers are registered."""

    def page(self, after: str, most: int, /) -> tuple[tuple[str, Registered], ...]:
        """Return the next registrations behind an identity, "" for the first, by identity, at most so many.

        So all of them can be walked, a page in each transaction, whatever comes and goes meanwhile.
        """


@lean_dataclass(frozen=True, slots=True)
class Line:
    """The way to one subscriber. `at` is when it is to be looked at next (Unix time), None: not by itself.

    `tries` counts how often the outstanding LTKM went out again.
    """

    identity: str
    route: Route
    at: float | None
    tries: int = 0


@lean_dataclass(frozen=True, slots=True)
class Outstanding:
    """An LTKM that waits for its answer: one for each B-TID (or NAI), with the order it was made from."""

    identity: str
    b_tid: str
    order: Order
    ltkm: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class OutboxFigures:
    """How much waits: lines, orders, LTKMs not acknowledged, and those of them that are under an earlier SMK."""

    lines: int
    orders: int
    outstanding: int
    doubtful: int


@dataclass(frozen=True, slots=True)
class Letter:
    """A datagram that nobody acknowledges, as a trigger or a short message is; by its number it is told from others."""

    number: int
    place: Endpoint
    payload: bytes = field(repr=False)


class Letters(Protocol):
    """Datagrams that nobody acknowledges, until they are out. There is room for some; the oldest give way."""

    def add(self, place: Endpoint, payload: bytes, now: float, /) -> None:
        """Keep a datagram that is to go out now (Unix time)."""

    def due(self, now: float, again: float, most: int, /) -> tuple[Letter, ...]:
        """Return what is to go out, the oldest first. It is due `again` at that time, unless it was dropped by then.

        Where several processes serve, each letter is given to one of them.
        """

    def drop(self, numbers: Collection[int], /) -> None:
        """Take out what has gone."""


class Outbox(Protocol):
    """What is on its way to subscribers: orders that wait, and what was sent and not acknowledged."""

    def hold(self, identity: str, /) -> None:
        """Keep other processes from working for this subscriber until the transaction ends."""

    def line(self, identity: str, /) -> Line | None:
        """Return the way to a subscriber."""

    def put_line(self, line: Line, /) -> None:
        """Keep the way to a subscriber in the place of the one before."""

    def due(self, now: float, most: int, /) -> tuple[Line, ...]:
        """Return lines that are to be looked at, the longest waiting first. Each is put again, with its next time.

        Where several processes serve, each line is given to one of them.
        """

    def next_at(self) -> float | None:
        """Return when the next line is due, None when none will be."""

    def orders(self, identity: str, /) -> tuple[tuple[int, Order], ...]:
        """Return what waits for a subscriber in its order, each with its number."""

    def first(self, identity: str, /) -> tuple[int, Order] | None:
        """Return the order that goes next, with its number."""

    def add(self, identity: str, order: Order, /, *, ahead: bool = False) -> None:
        """Put an order behind those that wait, or `ahead` of them.

        Raises `HeadendError` when too many do: none of them may be dropped.
        """

    def drop(self, identity: str, number: int, /) -> None:
        """Take an order out."""

    def outstanding(self, b_tid: str, /) -> Outstanding | None:
        """Return what was sent under this B-TID (or NAI) and is not acknowledged."""

    def outstanding_of(self, identity: str, /) -> tuple[Outstanding, ...]:
        """Return what a subscriber has not acknowledged, the oldest first."""

    def keep(self, outstanding: Outstanding, /) -> None:
        """Note what was sent, in the place of what was outstanding under the same B-TID."""

    def settle(self, b_tid: str, /) -> None:
        """Wait no longer for the answer under this B-TID."""

    def figures(self) -> OutboxFigures:
        """Return how much waits in all."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A request that was answered: a fingerprint by which a different one is known, the answer (its octets), and when.

    `at` is in seconds since 1970.
    """

    fingerprint: bytes
    answer: bytes = field(repr=False)
    at: float


REQUESTS_FOR_GOOD = 64
"""How many answered requests of a subscriber are kept, the newest, however old they become; ours."""
REQUEST_LIFE = 24 * 3600.0
"""Seconds for which every answered request is kept; ours."""
MOST_REQUESTS = 1024
"""How many a subscriber may have kept; ours. More are refused, so that none is forgotten within its life."""


class Requests(Protocol):
    """Requests that cost something, by subscriber and requestID: sent twice, they act once and are answered the same.

    That holds for `REQUEST_LIFE`, and for the newest `REQUESTS_FOR_GOOD` of a subscriber without an end.
    """

    def find(self, identity: str, request_id: str, /) -> Answered | None:
        """Return what was answered to a request, None for a new one."""

    def make_room(self, identity: str, now: float, /) -> None:
        """Forget what need not be kept any more at a time (seconds since 1970), before a new request is acted on.

        Raises `HeadendError` when there is no room for one more.
        """

    def keep(self, identity: str, request_id: str, answered: Answered, /) -> None:
        """Keep the answer to a request."""


class Records(Protocol):
    """Small records of subscribers that their users encode themselves: subscriptions, accounts, client IDs.

    `kind` says whose records they are, `name` (200 characters at most) which one. A subscriber has 1024 of a kind at
    most.
    """

    def find(self, kind: str, identity: str, name: str, /) -> bytes | None:
        """Return a record, None where there is none."""

    def put(self, kind: str, identity: str, name: str, value: bytes, /) -> None:
        """Keep a record in the place of the one before. Raises `HeadendError` when there are too many."""

    def drop(self, kind: str, identity: str, name: str, /) -> None:
        """Take a record away, if there is one."""

    def of(self, kind: str, identity: str, /) -> dict[str, bytes]:
        """Return all records of a kind of one subscriber, by name."""


@dataclass(frozen=True, slots=True)
class Books:
    """All that the BSM writes down, but for keys and rights (`ports`)."""

    transactions: Transactions
    registrations: Registrations
    outbox: Outbox
    requests: Requests
    records: Records
    letters: Letters
