"""A picture of a head-end at a moment, for people: who is there, what they have, what waits, what is on the air."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Bootstrapped:
    """The B-TID of a subscriber and when its keys are over."""

    b_tid: str
    expires: datetime
    is_over: bool


@dataclass(frozen=True, slots=True)
class HeldItem:
    """An item that a subscriber has: its serviceID, its title, until when (None: no end), whether it is registered."""

    service_id: str
    title: str
    ends: datetime | None
    registered: bool


@dataclass(frozen=True, slots=True)
class WaitingLtkm:
    """An LTKM for a subscriber: what it is, for which service, its key (hex), its T once it was sent."""

    what: str
    service: str
    key: str
    credits: bool
    counter: int | None = None
    tries: int = 0


@dataclass(frozen=True, slots=True)
class SubscriberPicture:
    """One subscriber. `address` is where pushes go, "" while it never registered."""

    identity: str
    code: str
    bootstrapped: Bootstrapped | None
    address: str
    heard: datetime | None
    items: tuple[HeldItem, ...]
    outstanding: tuple[WaitingLtkm, ...]
    queued: tuple[WaitingLtkm, ...]
    refused: bool


@dataclass(frozen=True, slots=True)
class SekPicture:
    """A SEK of a service by name: key domain and MSK ID in hex, and the first and last MTK ID it is for."""

    key_domain: str
    msk_id: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class ServicePicture:
    """A service: the MTK ID of now, how far its crypto period is (seconds of `period`), its SEKs.

    `listeners` are registered for it; there may be more unless `all_counted`.
    """

    id: str
    mtk_id: int
    elapsed: float
    period: float
    seks: tuple[SekPicture, ...]
    listeners: int
    all_counted: bool = True

    @property
    def current(self) -> SekPicture:
        """The SEK in use: the last that is good for the crypto period, or else that has begun."""
        begun = [sek for sek in self.seks if sek.first <= self.mtk_id]
        return ([sek for sek in begun if self.mtk_id <= sek.last] or begun)[-1]


@dataclass(frozen=True, slots=True)
class Picture:
    """All of it. Subscribers are a page: those behind `after` that begin with `begins`, of `known` in all.

    `following` is the name behind which the next page begins, "" for none.
    """

    at: datetime
    name: str
    subscribers: tuple[SubscriberPicture, ...]
    services: tuple[ServicePicture, ...]
    items: tuple[tuple[str, str], ...]
    defects: int
    known: int = 0
    after: str = ""
    begins: str = ""
    following: str = ""
