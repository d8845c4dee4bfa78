"""Subscribers in memory."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import nsmallest

from host_tools.headend.bounded import BoundedTable
from host_tools.headend.errors import BootstrapUnknownError, HeadendError, IdentityUnknownError
from host_tools.headend.subscribers.rk_subscriber import RkSubscriber
from host_tools.headend.subscribers.subscriber import Subscriber

MOST_SUBSCRIBERS = 100_000
B_TIDS_OF_A_SUBSCRIBER = 2  # a BM-SC goes on under the one before until the terminal comes with the new one


class MemorySubscribers:
    """Subscribers by IMPI and NAI, and their newest B-TIDs; what was noted is gone with the process."""

    def __init__(self, subscribers: Iterable[Subscriber] = (), rk_subscribers: Iterable[RkSubscriber] = ()) -> None:
        """Take the subscribers. Raises `HeadendError` when two have one identity, or when they are too many."""
        self._by_impi: dict[str, Subscriber] = {}
        self._by_nai: dict[str, RkSubscriber] = {}
        self._b_tids: BoundedTable[str, None] = BoundedTable(
            B_TIDS_OF_A_SUBSCRIBER, B_TIDS_OF_A_SUBSCRIBER * MOST_SUBSCRIBERS
        )
        for subscriber in subscribers:
            self.add(subscriber)
        for rk_subscriber in rk_subscribers:
            self.add_rk(rk_subscriber)

    def __len__(self) -> int:
        return len(self._by_impi) + len(self._by_nai)

    def count(self) -> int:
        """Return how many there are."""
        return len(self)

    def page(self, after: str, most: int, begins: str = "") -> tuple[str, ...]:
        """Return the next IMPIs and NAIs behind a name, in order, at most so many, that begin with `begins`."""
        names = (name for of in (self._by_impi, self._by_nai) for name in of)
        return tuple(nsmallest(most, (name for name in names if name > after and name.startswith(begins))))

    def add(self, subscriber: Subscriber) -> None:
        """Take one more subscriber. Raises `HeadendError`."""
        self._require_place(subscriber.impi in self._by_impi, f"IMPI {subscriber.impi}")
        self._by_impi[subscriber.impi] = subscriber

    def add_rk(self, subscriber: RkSubscriber) -> None:
        """Take one more subscriber with a registration key. Raises `HeadendError`."""
        self._require_place(subscriber.nai in self._by_nai, f"NAI {subscriber.nai}")
        self._by_nai[subscriber.nai] = subscriber

    def by_impi(self, impi: str) -> Subscriber:
        """Return the subscriber with this private identity. Raises `IdentityUnknownError`."""
        if impi not in self._by_impi:
            raise IdentityUnknownError(f"no subscriber has the IMPI {impi}")
        return self._by_impi[impi]

    def by_b_tid(self, b_tid: str) -> Subscriber:
        """Return the subscriber whose newest B-TID, or the one before, this is. Raises `BootstrapUnknownError`."""
        impi = self._b_tids.owner(b_tid)
        if impi is None:
            raise BootstrapUnknownError(f"B-TID {b_tid} is not known here: bootstrap first")
        return self._by_impi[impi]

    def by_nai(self, nai: str) -> RkSubscriber:
        """Return the CSIM subscriber with this NAI. Raises `IdentityUnknownError`."""
        if nai not in self._by_nai:
            raise IdentityUnknownError(f"no subscriber has the NAI {nai}")
        return self._by_nai[nai]

    def tie(self, b_tid: str, impi: str) -> None:
        """Note a new B-TID of a subscriber. Raises `IdentityUnknownError`."""
        self._b_tids.put(self.by_impi(impi).impi, b_tid, None)

    def _require_place(self, taken: bool, name: str) -> None:
        if taken:
            raise HeadendError(f"two subscribers have the {name}")
        if len(self) >= MOST_SUBSCRIBERS:
            raise HeadendError(f"more than {MOST_SUBSCRIBERS} subscribers do not fit into memory")
