"""Where traffic keys come from: a port, of which a card is the first implementation.

A key source reads STKMs, since their form belongs to its key profile, and turns each into a TEK or a refusal. It gives
the TEK the name by which protected content calls it. Whatever stands between a source and the player (a buffer, an
explanation, binding keys) is a `FeedLayer`: a source around another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from host_tools.terminal.bcast import StkmOutcome
from host_tools.terminal.departure import Departure, Service


@dataclass(frozen=True, slots=True, kw_only=True)
class StkmView:
    """What a key source reads in an STKM, in terms that every key profile has.

    `identity` tells the traffic key from all others; repeats of its STKM have the same. `key_name` is what protected
    content calls it. `session` names what it is for, of which only the newest keys are kept; `long_term_key` the key
    that the STKM came under. `label` is for people. `ratings` are its parental ratings in words, `protection` is its
    traffic_protection_protocol, None where it has none. `bound_to` names the terminal binding key that it needs.
    `service` is what a source is told of when it is left, None where nobody wants to know.
    """

    identity: bytes
    key_name: bytes
    session: bytes
    long_term_key: bytes
    label: str
    timestamp: int
    is_bcast: bool = False
    service: Service | None = None
    ratings: tuple[str, ...] = ()
    protection: int | None = None
    bound_to: int | None = None

    @property
    def names(self) -> Mapping[str, str]:
        """What names the traffic key, ready for JSON."""
        return {"key": self.label}


class KeySource(Protocol):
    """Something that takes an STKM and gives its TEK, or says why not, and hears which service is left."""

    def read(self, stkm: bytes, /) -> StkmView:
        """Return what an STKM says, and how its TEK is named. Raises `DecodeError` for anything that is not one."""

    def feed(self, stkm: bytes, /) -> StkmOutcome:
        """Return the TEK of an STKM, or the refusal."""

    def leave(self, service: Service, /) -> Departure | None:
        """Say that a service was left; None when nobody is told."""


class StkmGate(Protocol):
    """Knows which STKMs a key source need not see, because they were sent before."""

    def why_stale(self, view: StkmView, /) -> str | None:
        """Say why an STKM need not go to the source, None when it must."""

    def note(self, view: StkmView, /, *, is_bcast: bool) -> None:
        """An STKM gave its TEK; `is_bcast`: it is under the rules of OMA BCAST."""


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
