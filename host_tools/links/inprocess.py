"""A link to a card in the same process: no reader, no service, no sockets."""

from __future__ import annotations

from typing import Protocol

from host_tools.links.base import ReaderGone, TransmissionProtocol


class CardPort(Protocol):
    """What the link needs of a card; `card.Card` has it."""

    def power_on(self) -> bytes:
        """Switch on and return the ATR."""

    def power_off(self) -> None:
        """Switch off."""

    def reset(self) -> bytes:
        """Reset and return the ATR."""

    def transmit(self, apdu: bytes, /) -> bytes:
        """Execute one command APDU and return data and status word."""

    def close(self) -> None:
        """Close the card file."""


class InProcessLink:
    """Powers a card on and carries APDUs to it by function call."""

    def __init__(self, card: CardPort, name: str = "in process") -> None:
        self._card: CardPort | None = card
        self._name = name
        self._atr = card.power_on()

    @property
    def name(self) -> str:
        """Name of the link, for people."""
        return self._name

    @property
    def atr(self) -> bytes:
        """Answer to reset of the last power-on or reset."""
        return self._atr

    @property
    def protocol(self) -> TransmissionProtocol:
        """Always direct: nothing between client and card looks at the APDU."""
        return TransmissionProtocol.DIRECT

    def transmit(self, apdu: bytes) -> bytes:
        """Send one command APDU and return data and status word. Raises `ReaderGone` after `close`."""
        return self._open_card().transmit(apdu)

    def reset(self) -> bytes:
        """Reset the card and return its ATR. Raises `ReaderGone` after `close`."""
        self._atr = self._open_card().reset()
        return self._atr

    def close(self) -> None:
        """Switch the card off and close its file. Closing twice is harmless."""
        card, self._card = self._card, None
        if card is not None:
            card.power_off()
            card.close()

    def _open_card(self) -> CardPort:
        if self._card is None:
            raise ReaderGone(f"The card on link “{self._name}” was closed.")
        return self._card
