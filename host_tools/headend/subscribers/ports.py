"""The port behind which subscribers are kept: in memory (`memory`), from a file (`files`), in a database."""

from __future__ import annotations

from typing import Protocol

from host_tools.headend.subscribers.rk_subscriber import RkSubscriber
from host_tools.headend.subscribers.subscriber import Subscriber


class Subscribers(Protocol):
    """The home network's subscribers.

    A subscriber of GBA is found by IMPI and, behind a bootstrapping, by B-TID; one with a registration key by NAI. The
    sequence number belongs to the subscriber: its `sequence` is kept wherever the subscriber is.
    """

    def count(self) -> int:
        """Return how many there are."""

    def page(self, after: str, most: int, begins: str = "", /) -> tuple[str, ...]:
        """Return the next IMPIs and NAIs behind a name, "" for the first, in order, at most so many.

        Only those that begin with `begins`.
        """

    def by_impi(self, impi: str, /) -> Subscriber:
        """Return the subscriber with this private identity. Raises `IdentityUnknownError`."""

    def by_b_tid(self, b_tid: str, /) -> Subscriber:
        """Return the subscriber whose newest B-TID, or the one before, this is. Raises `BootstrapUnknownError`."""

    def by_nai(self, nai: str, /) -> RkSubscriber:
        """Return the CSIM subscriber with this NAI. Raises `IdentityUnknownError`."""

    def tie(self, b_tid: str, impi: str, /) -> None:
        """Note a new B-TID of a subscriber. Raises `IdentityUnknownError`."""
