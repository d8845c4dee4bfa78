"""Short messages to terminals whose address nobody knows, in place of a mobile network (bearer and place are ours)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from card.errors import EncodeError
from host_tools.exchange.messages.sms_deliver import SmsDeliver
from host_tools.exchange.messages.sms_push import SmsForm, SmsPush
from host_tools.exchange.transport import Endpoint
from host_tools.headend.errors import HeadendError
from host_tools.headend.http.push import Pushes

_ONE_OCTET = 256


class ShortMessages(Protocol):
    """What brings short messages to terminals."""

    def send(self, identity: str, content: bytes, /) -> None:
        """Send a solicited pull (a MIKEY message) or a trigger to a subscriber's terminal. Raises `HeadendError`."""


@dataclass(frozen=True, slots=True)
class SmsPlace:
    """Where short messages go, and in which form."""

    place: Endpoint
    form: SmsForm = SmsForm.A


class UdpShortMessages:
    """All go to one UDP port, one SMS-DELIVER a datagram; `sent` counts them.

    A pull is under the SMK of its subscriber: the card of another takes none of it. A trigger is signed by nobody, so
    each terminal that hears it may register, and gets what it has itself.
    """

    def __init__(self, where: SmsPlace, pushes: Pushes) -> None:
        """Take where they go, and what sends datagrams."""
        self._where = where
        self._pushes = pushes
        self._reference = 0
        self.sent = 0

    def send(self, identity: str, content: bytes) -> None:
        """Send a pull or a trigger in as many short messages as it takes, with the transaction that is open.

        Raises `HeadendError` for one that is too long.
        """
        del identity  # one place has them all
        self._reference = (self._reference + 1) % _ONE_OCTET
        try:
            parts = SmsPush(self._where.form, content).encode(self._reference)
        except EncodeError as error:
            raise HeadendError(str(error)) from None
        for part in parts:
            self._pushes.tell(self._where.place, SmsDeliver(part).encode())
            self.sent += 1
