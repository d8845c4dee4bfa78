"""A chronicle, as it is shown. Times are in seconds from its beginning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class StkmFate(Enum):
    """What happened to an STKM. The value is what a person reads."""

    NEW = "gave a new traffic key"
    RESENT = "gave a traffic key that was there"
    IDENTICAL = "same as one before, not given to the card"
    STALE = "sent before, not given to the card"
    REFUSED = "refused"
    UNREADABLE = "not readable"


class MediaFate(Enum):
    """What happened to a media packet."""

    OPENED = "decrypted"
    REPEATED = "a copy of an earlier one"
    WITHOUT_KEY = "without key"
    FAILED = "did not open"
    LOST = "never came"


class Counted(Enum):
    """What the limits of a long-term key are numbers of. The value is what a person reads."""

    TIMESTAMP = "T"
    MTK_ID = "MTK ID"


@dataclass(frozen=True, slots=True)
class Validity:
    """What a long-term key is good for: numbers from `low` to `high`, both included; `words` say by which policy."""

    counted: Counted
    low: int
    high: int
    words: str = ""

    def __str__(self) -> str:
        by = f" ({self.words})" if self.words else ""
        return f"{self.counted.value} {self.low} to {self.high}{by}"


@dataclass(frozen=True, slots=True)
class Stkm:
    """One STKM: when, its traffic key, its timestamp T, its fate, and why."""

    at: float
    key: str
    timestamp: int
    fate: StkmFate
    why: str = ""


@dataclass(frozen=True, slots=True)
class TrafficKeyUse:
    """A traffic key by its name: when it was first given, and which media it opened, of when to when.

    Media that waited for it came before it was given.
    """

    key: str
    long_term_key: str
    given: float
    used: tuple[float, float] | None
    packets: int


@dataclass(frozen=True, slots=True)
class LongTermKeyUse:
    """A SEK or PEK by its name: when an LTKM brought it (None: none did), when its STKMs came, what it allows.

    `valid` is what it is good for, as far as somebody told. `worked`: an STKM under it gave a traffic key, so that one
    which no LTKM brought was there before.
    """

    key: str
    came: float | None
    first: float
    last: float
    allows: tuple[str, ...] = ()
    valid: tuple[Validity, ...] = ()
    worked: bool = True

    @property
    def arrival(self) -> float | str:
        """When it came, or words for that nobody saw it come."""
        if self.came is not None:
            return self.came
        return "before" if self.worked else "no LTKM seen"


@dataclass(frozen=True, slots=True)
class Slice:
    """Media packets between two moments, by fate."""

    start: float
    end: float
    packets: Mapping[MediaFate, int]


@dataclass(frozen=True, slots=True)
class Balance:
    """How a purse or a counter went: its name, and what it held from each moment on."""

    name: str
    points: tuple[tuple[float, int], ...]


@dataclass(frozen=True, slots=True)
class Note:
    """Something that happened: an LTKM, a purchase, a service left. `bad`: it was trouble."""

    at: float
    words: str
    bad: bool = False


@dataclass(frozen=True, slots=True)
class ServiceStory:
    """What happened to one service. `untold` counts the STKMs beyond those that are listed, by fate."""

    name: str
    place: str
    long_term_keys: tuple[LongTermKeyUse, ...]
    traffic_keys: tuple[TrafficKeyUse, ...]
    stkms: tuple[Stkm, ...]
    stkm_counts: Mapping[StkmFate, int]
    media: tuple[Slice, ...]

    @property
    def packets(self) -> Counter[MediaFate]:
        """Media packets in all, by fate."""
        total: Counter[MediaFate] = Counter()
        for one in self.media:
            total.update(one.packets)
        return total


@dataclass(frozen=True, slots=True)
class Chronicle:
    """Everything: `begins` is in seconds since 1970, `seconds` how long it took. `about` says what it cannot show."""

    title: str
    begins: float
    seconds: float
    services: tuple[ServiceStory, ...]
    balances: tuple[Balance, ...]
    notes: tuple[Note, ...]
    about: str = ""

    @property
    def packets(self) -> Counter[MediaFate]:
        """Media packets in all, by fate."""
        return sum((service.packets for service in self.services), Counter[MediaFate]())

    @property
    def stkms(self) -> Counter[StkmFate]:
        """STKMs in all, by fate."""
        return sum((Counter(service.stkm_counts) for service in self.services), Counter[StkmFate]())
