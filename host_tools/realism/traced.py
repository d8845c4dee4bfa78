"""A card that traces what its reader asks of it."""

from __future__ import annotations

import time

from host_tools.links.base import LinkError
from host_tools.realism.wrapped import WrappedCard
from host_tools.trace.tracer import POWER_OFF, POWER_ON, RESET, Tracer
from vpicc_bridge.adapter import VirtualCard


class TracedCard(WrappedCard):
    """Wraps a card and tells a tracer what happens to it.

    Put around a `SlowCard` or a `FaultyCard`, it traces what the reader gets to see of them.
    """

    def __init__(self, card: VirtualCard, tracer: Tracer) -> None:
        super().__init__(card)
        self._tracer = tracer
        self._powered = False

    def power_on(self) -> bytes:
        """Apply power; return the ATR."""
        atr = self._card.power_on()
        self._powered = True
        self._tracer.card_event(POWER_ON, atr)
        return atr

    def power_off(self) -> None:
        """Remove power. Where there is none, nothing is traced."""
        self._card.power_off()
        if self._powered:
            self._powered = False
            self._tracer.card_event(POWER_OFF)

    def reset(self) -> bytes:
        """Reset; return the ATR."""
        atr = self._card.reset()
        self._tracer.card_event(RESET, atr)
        return atr

    def transmit(self, apdu: bytes) -> bytes:
        """Answer a command. Raises what the card raises."""
        started = time.perf_counter()
        try:
            answer = self._card.transmit(apdu)
        except Exception as error:
            # The text of an unexpected exception may hold anything: only its type is kept.
            why = str(error) if isinstance(error, LinkError) else type(error).__name__
            self._tracer.exchange(apdu, b"", time.perf_counter() - started, why)
            raise
        self._tracer.exchange(apdu, answer, time.perf_counter() - started)
        return answer
