"""The one port through which host tools talk to a card, and what can go wrong on it."""

from __future__ import annotations

from enum import Enum
from typing import Protocol


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
