"""The one port through which host tools talk to a card, and what can go wrong on it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from enum import Enum
from typing import Protocol, runtime_checkable


class TransmissionProtocol(Enum):
    """How the link carries APDUs; with T=0 the client omits Le and fetches responses (TS 102 221, 7.3)."""

    T0 = "T=0"
    T1 = "T=1"
    DIRECT = "direct"


class LinkError(Exception):
    """The link cannot carry an APDU. The message is one sentence for a person."""


class NoReader(LinkError):
    """There is no such reader, no card in it, or no PC/SC service to ask."""


class ReaderGone(LinkError):
    """The reader or its card vanished while it was in use."""


@runtime_checkable
class SharedLink(Protocol):
    """A link to a card that other programs may use, too, or one that wraps such a link."""

    @property
    def shared(self) -> bool:
        """Whether another program can come between two commands."""

    def together(self) -> AbstractContextManager[None]:
        """Keep other programs from coming between the commands of a `with` block. Raises `LinkError`."""


def is_shared(link: Link) -> bool:
    """Tell whether another program can come between two commands on a link."""
    return isinstance(link, SharedLink) and link.shared


def together(link: Link) -> AbstractContextManager[None]:
    """Return what keeps the commands of a `with` block together; entering may raise `LinkError`."""
    return link.together() if isinstance(link, SharedLink) else nullcontext()


class Link(Protocol):
    """A card at the other end: command APDU in, response APDU out."""

    @property
    def name(self) -> str:
        """Name of the reader, for people."""

    @property
    def atr(self) -> bytes:
        """Answer to reset (2 to 33 bytes) of the last power-on or reset."""

    @property
    def protocol(self) -> TransmissionProtocol:
        """How the link carries APDUs."""

    def transmit(self, apdu: bytes, /) -> bytes:
        """Send one command APDU (4 to 65,544 bytes) and return data and status word (2 bytes or more).

        Raises `LinkError`.
        """

    def reset(self) -> bytes:
        """Reset the card and return its ATR. Raises `LinkError`."""

    def close(self) -> None:
        """Let the card go. Closing twice is harmless."""
