"""A card with the faults of a plan."""

from __future__ import annotations

from collections.abc import Callable

from host_tools.links.base import ReaderGone
from host_tools.realism.plan import Fault, FaultKind, Injector
from host_tools.realism.wrapped import WrappedCard
from vpicc_bridge.adapter import VirtualCard

Pull = Callable[[float], None]
"""Takes the card out of its reader; it is back after so many seconds."""

Tell = Callable[[str], object]
"""Takes the sentence about a fault, just before the fault happens."""

_INTERNAL_ERROR = 0x6F00


def leave_in(back_after: float) -> None:
    """Pull for a card that is in no reader: nothing to do."""
    del back_after


def tell_nobody(sentence: str) -> None:
    """Tell for faults that nobody is told of."""
    del sentence


class FaultyCard(WrappedCard):
    """Wraps a card.

    An answer that never comes is a `ReaderGone` for a caller in the same process. In a reader, `pull` breaks the line,
    since a client whose command stays unanswered would wait for ever; `bridge.ReturningBridge` has such a `pull`.
    `tell` gets a sentence for each fault.
    """

    def __init__(self, card: VirtualCard, injector: Injector, pull: Pull = leave_in, tell: Tell = tell_nobody) -> None:
        super().__init__(card)
        self._injector = injector
        self._pull = pull
        self._tell = tell
        self._lost = ""  # why the card does not answer until it is switched on again

    def power_on(self) -> bytes:
        """Apply power; return the ATR. A card that was lost is there again."""
        self._lost = ""
        return self._card.power_on()

    def reset(self) -> bytes:
        """Reset; return the ATR. A card that was lost is switched on."""
        return self.power_on() if self._lost else self._card.reset()

    def close(self) -> None:
        """Remove power; the wrapped card is closed by whoever opened it."""
        self._card.power_off()

    def transmit(self, apdu: bytes) -> bytes:
        """Answer a command, or do what the plan has for it. Raises `ReaderGone` for an answer that never comes."""
        if self._lost:
            raise ReaderGone(self._lost)
        strike = self._injector.next_fault(apdu)
        if strike is None:
            return self._card.transmit(apdu)
        self._tell(str(strike))
        return self._inflict(strike.fault, apdu)

    def _inflict(self, fault: Fault, apdu: bytes) -> bytes:
        if fault.executed or fault.kind is FaultKind.DROP:
            self._card.transmit(apdu)
        match fault.kind:
            case FaultKind.WRONG_SW:
                return fault.sw.to_bytes(2, "big")
            case FaultKind.INTERNAL_ERROR:
                return _INTERNAL_ERROR.to_bytes(2, "big")
            case FaultKind.DROP:
                raise self._gone("The answer got lost on its way (planned fault).", fault)
            case FaultKind.MUTE:
                raise self._gone("The card is mute (planned fault).", fault)
            case FaultKind.POWER_LOSS:
                self._card.power_off()
                raise self._gone("The card lost its power (planned fault).", fault)
            case FaultKind.REMOVAL:
                self._card.power_off()
                raise self._gone("The card was pulled out in the middle of a command (planned fault).", fault)

    def _gone(self, sentence: str, fault: Fault) -> ReaderGone:
        self._lost = sentence
        self._pull(fault.back_after)
        return ReaderGone(sentence)
