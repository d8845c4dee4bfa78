"""Where key messages arrive as datagrams in tests without a journal: to the card, and verification messages back."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from card.errors import DecodeError
from host_tools.exchange.messages.ltkm_push import PushKind, kind_of_push
from host_tools.exchange.messages.trigger import Trigger
from host_tools.exchange.transport import Datagram
from host_tools.terminal.ltkm_receipt import LtkmReceipt

_log = logging.getLogger(__name__)
_ANSWERS_KEPT = 64


class LtkmTaker(Protocol):
    """What the port needs of the terminal middleware."""

    def deliver(self, ltkm: bytes, /) -> LtkmReceipt:
        """Give an LTKM to the card."""


class KeyPort:
    """Takes what is sent to a terminal's ports of key messages. `dropped` counts what is no key message.

    An LTKM that comes again as the same octets is one whose answer was lost: it is answered from memory, as the card
    would refuse it. `repeated` counts these.
    """

    def __init__(
        self, middleware: LtkmTaker, on_receipt: Callable[[LtkmReceipt], None], on_trigger: Callable[[Trigger], None]
    ) -> None:
        """Take the card, who hears the result of each LTKM, and who hears of triggers."""
        self._middleware = middleware
        self._on_receipt = on_receipt
        self._on_trigger = on_trigger
        self._answered: OrderedDict[bytes, bytes] = OrderedDict()
        self.dropped = 0
        self.repeated = 0

    def received(self, datagram: Datagram) -> tuple[Datagram, ...]:
        """Take a datagram and return the verification message, if there is one, to where it came from.

        Raises `LinkError` when the card is gone, and what the listeners raise.
        """
        try:
            if kind_of_push(datagram.payload) is PushKind.TRIGGER:
                self._on_trigger(Trigger.decode(datagram.payload))
                return ()
        except DecodeError as error:
            self.dropped += 1
            _log.info("a datagram is dropped: %s", error)
            return ()
        verification = self._answered.get(datagram.payload)
        if verification is not None:
            self.repeated += 1
            return (Datagram(datagram.destination, datagram.source, verification),)
        receipt = self._middleware.deliver(datagram.payload)
        self._on_receipt(receipt)
        if receipt.verification is None:
            return ()
        self._answered[datagram.payload] = receipt.verification
        if len(self._answered) > _ANSWERS_KEPT:
            self._answered.popitem(last=False)
        return (Datagram(datagram.destination, datagram.source, receipt.verification),)
