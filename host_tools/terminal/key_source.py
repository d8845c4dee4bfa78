"""Where traffic keys come from: a port, of which a card is the first implementation.

A key source reads STKMs, since their form belongs to its key profile, and turns each into a TEK or a refusal. It gives
the TEK the name by which protected content calls it. Whatever stands between a source and the player (a buffer, an
explanation, binding keys) is a `FeedLayer`: a source around another one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from card.codec.bcast import StkmManagement, Subtype, bcast_extension, ratings_of
from card.codec.mikey import MbmsKeyIds, MikeyMessage
from card.errors import DecodeError
from card.spec.bcast.ratings import rating_words
from card.spec.bcast.tables import BcastTables
from host_tools.content.stkm_name import StkmName
from host_tools.terminal.bcast import StkmOutcome
from host_tools.terminal.departure import Departure, Service

_PROTECTION_FIELD: Final = "traffic_protection_protocol"


@dataclass(frozen=True, slots=True)
class StkmView:
    """What a terminal reads in an STKM: key IDs, T (32 bits), whether it is one of OMA BCAST, management data.

    There are none in a plain MBMS message, nor where the terminal's tables cannot read them. `ratings` are the parental
    ratings in them, in words, `protection` is their traffic_protection_protocol, None where they have none. `key_name`
    is what protected content calls the traffic key.
    """

    ids: MbmsKeyIds
    key_name: bytes
    timestamp: int
    is_bcast: bool = False
    management: StkmManagement | None = None
    ratings: tuple[str, ...] = ()
    protection: int | None = None

    @property
    def identity(self) -> bytes:
        """What tells the traffic key from all others; repeats of its STKM have the same."""
        return self.ids.encode()

    @property
    def service(self) -> Service | None:
        """The service of OMA BCAST that it belongs to; a plain MBMS one is none to the card's events."""
        return Service(self.ids.key_domain_id, self.ids.key_group) if self.is_bcast else None

    @classmethod
    def decode(cls, raw: bytes, tables: BcastTables) -> StkmView:
        """Read an STKM. Raises `DecodeError` for anything that is not one.

        Management data that do not follow the tables are left out: the card has the last word about them.
        """
        message = MikeyMessage.decode(raw)
        name = StkmName.of(message)
        extension = _management_data(message)
        management = _management(extension, tables) if extension is not None else None
        ratings = _ratings(management, tables) if management is not None else ()
        protection = _protection(management, tables) if management is not None else None
        return cls(name.ids, name.key_name, name.timestamp, extension is not None, management, ratings, protection)


def _management_data(message: MikeyMessage) -> bytes | None:
    try:
        extension = bcast_extension(message)
    except DecodeError:
        return None
    return extension[1] if extension is not None and extension[0] == Subtype.STKM_MANAGEMENT else None


def _management(data: bytes, tables: BcastTables) -> StkmManagement | None:
    try:
        return StkmManagement.decode(data, tables)
    except DecodeError:
        return None


def _protection(management: StkmManagement, tables: BcastTables) -> int | None:
    has_it = any(row.name == _PROTECTION_FIELD for row in tables.stkm)
    return management.traffic_protection_protocol if has_it else None


def _ratings(management: StkmManagement, tables: BcastTables) -> tuple[str, ...]:
    try:
        found = ratings_of(management.access_criteria, tables)
    except DecodeError:
        return ()
    return tuple(rating_words(rating.type, rating.value) for rating in found)


class KeySource(Protocol):
    """Something that takes an STKM and gives its TEK, or says why not, and hears which service is left."""

    def read(self, stkm: bytes, /) -> StkmView:
        """Return what an STKM says, and how its TEK is named. Raises `DecodeError` for anything that is not one."""

    def feed(self, stkm: bytes, /) -> StkmOutcome:
        """Return the TEK of an STKM, or the refusal."""

    def leave(self, service: Service, /) -> Departure | None:
        """Say that a service was left; None when nobody is told."""


@dataclass(slots=True)
class FeedLayer:
    """A key source around another one, which reads for it and hears of the services left."""

    feed_below: KeySource

    def read(self, stkm: bytes) -> StkmView:
        """Let the source below read. Raises `DecodeError`."""
        return self.feed_below.read(stkm)

    def leave(self, service: Service) -> Departure | None:
        """Pass it on."""
        return self.feed_below.leave(service)


@dataclass(slots=True)
class UnsignalledFeed(FeedLayer):
    """Tells the card of no service that is left, as a terminal without event signalling does."""

    def feed(self, stkm: bytes) -> StkmOutcome:
        """Return the card's verdict. Raises as the feed below."""
        return self.feed_below.feed(stkm)

    def leave(self, _service: Service) -> None:
        """Keep it from the card."""
