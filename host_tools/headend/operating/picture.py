"""A picture of a head-end at a moment, for people: who is there, what they have, what waits, what is on the air."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


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
    """A SEK of a service by name: key domain and MSK ID in hex, and the first and last MTK ID it is for.

    `begins` and `ends` are the same in crypto periods from now, which is 0: MTK IDs may have begun again in between.
    """

    key_domain: str
    msk_id: str
    first: int
    last: int
    begins: int
    ends: int


@dataclass(frozen=True, slots=True)
class ServicePicture:
    """A service: the MTK ID of now, how far its crypto period is (seconds of `period`), its SEKs.

    There were `before` crypto periods; after each `lap` of them MTK IDs begin again at 1, with None never.
    `listeners` are registered for it; there may be more unless `all_counted`.
    """

    id: str
    mtk_id: int
    elapsed: float
    period: float
    seks: tuple[SekPicture, ...]
    listeners: int
    before: int
    lap: int | None
    all_counted: bool = True

    @property
    def current(self) -> SekPicture:
        """The SEK in use: the last that is good for the crypto period, or else that has begun."""
        return self.in_use(0) or [sek for sek in self.seks if sek.begins <= 0][-1]

    def in_use(self, away: int) -> SekPicture | None:
        """Return the SEK of a crypto period so far from now (0), None where none is good for it."""
        return next((sek for sek in reversed(self.seks) if sek.begins <= away <= sek.ends), None)

    def mtk_id_at(self, away: int) -> int:
        """Return the MTK ID of a crypto period so far from now (0), at most `before` of them back."""
        mtk_id = self.mtk_id + away
        return mtk_id if self.lap is None else (mtk_id - 1) % self.lap + 1


def periods_until(mtk_id: int, first: int, last: int, lap: int | None) -> int:
    """Return in how many crypto periods from that of `mtk_id` a SEK begins which is for `first` to `last`.

    Where MTK IDs begin again after a lap, it is the nearest time in past or future at which it is in use.
    """
    if lap is None or first <= mtk_id <= last:
        return first - mtk_id
    ahead, behind = (first - mtk_id) % lap, (mtk_id - last) % lap
    return ahead if ahead <= behind else first - last - behind


class Air(Enum):
    """Whether something is broadcast. The value is what a person reads, "" where there is nothing to say."""

    ON = ""
    OVER = "The broadcast is over: crypto periods count on, and nothing is sent in them."
    NONE = "Nothing is broadcast: crypto periods count on, and keys can be rolled and sent."


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
    air: Air
    defects: int
    known: int = 0
    after: str = ""
    begins: str = ""
    following: str = ""
