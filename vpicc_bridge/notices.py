"""What a bridge tells whoever watches it. Each notice prints as one plain sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Connected:
    """The line to vpcd stands; the reader shows the card within about 0.4 s."""

    peer: str

    def __str__(self) -> str:
        return f"connected to vpcd at {self.peer}"


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The line was lost; the bridge dials (or listens) again unless it was told to stop."""

    peer: str
    reason: str

    def __str__(self) -> str:
        return f"disconnected from {self.peer}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Nobody answers at the address. Sent once per outage, not once per attempt."""

    peer: str
    reason: str

    def __str__(self) -> str:
        return f"no vpcd at {self.peer} ({self.reason}); still dialling"


@dataclass(frozen=True, slots=True)
class Occupied:
    """The line stands but nothing was asked: another card sits on this slot, and this one waits behind it."""

    peer: str

    def __str__(self) -> str:
        return f"another card seems to sit on the slot at {self.peer}; this one takes over when it leaves"


@dataclass(frozen=True, slots=True)
class CardFault:
    """The card raised, or returned what cannot be sent. Names the call and the exception's type only."""

    call: str
    error: str

    def __str__(self) -> str:
        return f"the card failed in {self.call} ({self.error}); answered in its place"


Notice = Connected | Disconnected | Unreachable | Occupied | CardFault


class Observer(Protocol):
    """Receives notices, on the card's thread. Must not raise and must return quickly."""

    def notice(self, notice: Notice, /) -> None:
        """Take one notice."""


class NoObserver:
    """An observer that drops every notice."""

    def notice(self, notice: Notice, /) -> None:
        """Drop it."""
