"""A card around a card: what the wrappers of this package have in common."""

from __future__ import annotations

from vpicc_bridge.adapter import VirtualCard


class WrappedCard:
    """Passes everything on to another card (`vpicc_bridge.adapter.VirtualCard`). A subclass does what it is for."""

    def __init__(self, card: VirtualCard) -> None:
        self._card = card

    @property
    def atr(self) -> bytes:
        """The answer to reset."""
        return self._card.atr

    def power_on(self) -> bytes:
        """Apply power; return the ATR."""
        return self._card.power_on()

    def power_off(self) -> None:
        """Remove power."""
        self._card.power_off()

    def reset(self) -> bytes:
        """Reset; return the ATR."""
        return self._card.reset()

    def transmit(self, apdu: bytes) -> bytes:
        """Answer a command. Raises what the card raises."""
        return self._card.transmit(apdu)
