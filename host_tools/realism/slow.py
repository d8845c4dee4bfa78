"""A card that answers as slowly as another one."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from host_tools.realism.latency import LatencyProfile
from host_tools.realism.wrapped import WrappedCard
from vpicc_bridge.adapter import VirtualCard


class SlowCard(WrappedCard):
    """Wraps a card. The same seed gives the same delays."""

    def __init__(
        self,
        card: VirtualCard,
        latency: LatencyProfile,
        seed: int = 0,
        *,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        super().__init__(card)
        self._latency = latency
        self._random = random.Random(seed)
        self._sleep = sleep
        self._clock = clock

    def transmit(self, apdu: bytes) -> bytes:
        """Answer a command, not before its time. What the emulator itself took counts."""
        begun = self._clock()
        wanted = self._latency.seconds(apdu, self._random.random())
        answer = self._card.transmit(apdu)
        left = wanted - (self._clock() - begun)
        if left > 0:
            self._sleep(left)
        return answer
