"""Turns what vpcd asks into calls on a card, and guards the line against whatever the card does."""

from __future__ import annotations

from typing import Final, Protocol

from vpicc_bridge.notices import CardFault, Observer
from vpicc_bridge.protocol import MAX_BODY, ApduReceived, Control, Event

SW_INTERNAL_ERROR: Final = b"\x6f\x00"
"""Sent when the card raised or returned nonsense (ISO/IEC 7816-4, table of SW1-SW2: no precise diagnosis)."""

EMPTY_ATR: Final = b"\x3b\x00"
"""The shortest valid ATR (ISO/IEC 7816-3, 8.2), sent when the card cannot give its own."""


class VirtualCard(Protocol):
    """What a card must offer to sit on the wire. `card.Card` does; so does a five-line test double."""

    @property
    def atr(self) -> bytes:
        """The answer to reset, 2 to 33 bytes. Reading it changes nothing."""

    def power_on(self) -> bytes:
        """Apply power; return the ATR."""

    def power_off(self) -> None:
        """Remove power. Harmless when there is none."""

    def reset(self) -> bytes:
        """Reset without removing power; return the ATR."""

    def transmit(self, apdu: bytes, /) -> bytes:
        """Process one command APDU; return data + SW, at least two bytes."""


class CardAdapter:
    """Applies events to one card and gives the bytes to send back.

    An exception from the card is reported to the observer (its type only: a message might hold key
    material) and answered 6F00. It never reaches the caller, since an APDU left unanswered hangs the
    client's SCardTransmit.
    """

    def __init__(self, card: VirtualCard, observer: Observer) -> None:
        self._card = card
        self._observer = observer
        self._powered = False

    def handle(self, event: Event) -> bytes | None:
        """Apply one event; return the reply body of 2 to 65,535 bytes, or None where vpcd expects none."""
        if isinstance(event, ApduReceived):
            return self._transmit(event.apdu)
        match event:
            case Control.ATR_REQUEST:
                return self._atr()
            case Control.POWER_ON:
                self._power_on()
            case Control.RESET:
                self._reset()
            case Control.POWER_OFF:
                self.power_off()
        return None

    def power_off(self) -> None:
        """Remove power. Also called when the line is lost: a card out of its reader has none."""
        self._powered = False
        try:
            self._card.power_off()
        except Exception as error:
            self._report("power_off", error)

    def _transmit(self, apdu: bytes) -> bytes:
        if not self._powered:
            # pcscd believes the card is on: after a redial faster than its polling it does not power up
            # again.
            self._power_on()
        try:
            response = bytes(self._card.transmit(apdu))
            if 2 <= len(response) <= MAX_BODY:
                return response
            raise ValueError(f"a response of {len(response)} bytes")
        except Exception as error:
            self._report("transmit", error)
            return SW_INTERNAL_ERROR

    def _atr(self) -> bytes:
        try:
            atr = bytes(self._card.atr)
            if 2 <= len(atr) <= MAX_BODY:
                return atr
            raise ValueError(f"an ATR of {len(atr)} bytes")
        except Exception as error:
            self._report("atr", error)
            return EMPTY_ATR

    def _power_on(self) -> None:
        self._powered = True
        try:
            self._card.power_on()
        except Exception as error:
            self._report("power_on", error)

    def _reset(self) -> None:
        if not self._powered:
            self._power_on()
            return
        try:
            self._card.reset()
        except Exception as error:
            self._report("reset", error)

    def _report(self, call: str, error: Exception) -> None:
        self._observer.notice(CardFault(call, type(error).__name__))
