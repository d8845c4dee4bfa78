"""A card that answers as slowly as another one."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from host_tools.realism.latency import LatencyProfile
from vpicc_bridge.adapter import VirtualCard


class SlowCard:
    """Wraps a card (`vpicc_bridge.adapter.VirtualCard`). The same seed gives the same delays."""

    def __init__(
        self,
        card: VirtualCard,
        latency: LatencyProfile,
        seed: int = 0,
        *,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._card = card
        self._latency = latency
        self._random = random.Random(seed)
        self._sleep = sleep
        self._clock = clock

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
        """Answer a command, not before its time. What the emulator itself took counts."""
        begun = self._clock()
        wanted = self._latency.seconds(apdu, self._random.random())
        answer = self._card.transmit(apdu)
        left = wanted - (self._clock() - begun)
        if left > 0:
            self._sleep(left)
        return answer
