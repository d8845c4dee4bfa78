"""Has terminals ask for their keys: a solicited pull by datagram, or by short message where no address is known.

TS 33.246 clause 6.3.2.2.4 has the message. By short message it is OMA's and its writing ours (`messages.sms_pull`):
whom it reaches asks by HTTP as ever, and is served for an hour though it is not registered, for the items it has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from host_tools.exchange.messages.sms_deliver import SmsDeliver
from host_tools.exchange.messages.sms_pull import SmsForm, SmsPull
from host_tools.exchange.transport import Endpoint
from host_tools.headend.bsm.books import Books
from host_tools.headend.bsm.server import Bsm
from host_tools.headend.errors import HeadendError
from host_tools.headend.http.key_management import KeyManagement
from host_tools.headend.http.push import Pushes

_ONE_OCTET = 256


class Way(Enum):
    """How a pull went out; the value is the word for it."""

    DATAGRAM = "datagram"
    SHORT_MESSAGE = "short message"


class ShortMessages(Protocol):
    """What brings short messages to terminals."""

    def send(self, identity: str, pull: bytes, /) -> None:
        """Send a solicited pull (a MIKEY message) to a subscriber's terminal. Raises `EncodeError`."""


@dataclass(frozen=True, slots=True)
class SmsPlace:
    """Where short messages go, and in which form."""

    place: Endpoint
    form: SmsForm = SmsForm.A


class UdpShortMessages:
    """In place of a mobile network: all go to one UDP port, one SMS-DELIVER a datagram; `sent` counts them.

    Each is under the SMK of its subscriber: the card of another takes none of it.
    """

    def __init__(self, where: SmsPlace, pushes: Pushes) -> None:
        """Take where they go, and what sends datagrams."""
        self._where = where
        self._pushes = pushes
        self._reference = 0
        self.sent = 0

    def send(self, identity: str, pull: bytes) -> None:
        """Send a solicited pull in as many short messages as it takes. Raises `EncodeError`."""
        del identity  # one place has them all
        self._reference = (self._reference + 1) % _ONE_OCTET
        for part in SmsPull(self._where.form, pull).encode(self._reference):
            self._pushes.tell(self._where.place, SmsDeliver(part).encode())
            self.sent += 1


class PullDesk:
    """Sends solicited pulls. Each call is a transaction of its own; what is to be sent goes with the next push."""

    def __init__(
        self,
        bsm: Bsm,
        keys: KeyManagement,
        books: Books,
        newest: Callable[[str], str | None],
        messages: ShortMessages | None = None,
    ) -> None:
        """Take BSM, registrations, books, what tells the newest B-TID of a subscriber, what brings short messages.

        `newest` is asked for those to whom no push ever went out.
        """
        self._bsm = bsm
        self._keys = keys
        self._books = books
        self._newest = newest
        self._messages = messages

    def pull(self, identity: str) -> Way:
        """Have a subscriber's terminal ask for its keys. Raises `HeadendError` where no way leads to it."""
        with self._books.transactions.transaction():
            self._books.transactions.hold(identity)
            if self._keys.pull(identity):
                return Way.DATAGRAM
            if self._messages is None:
                raise HeadendError(f"{identity} is not registered, so it is not known where its terminal is")
            pulls = self._made(identity)
            self._keys.expect(identity)
            for pull in pulls:
                self._messages.send(identity, pull)
        return Way.SHORT_MESSAGE

    def _made(self, identity: str) -> list[bytes]:
        services = self._keys.services(self._keys.entitled(identity))
        line = self._books.outbox.line(identity)
        b_tid = self._newest(identity) if line is None else line.route.b_tid
        if b_tid is None:
            raise HeadendError(f"{identity} has never shown a B-TID: there is no SMK for a pull")
        if not services:
            raise HeadendError(f"{identity} has no item whose keys it could ask for")
        waiting = self._books.outbox.outstanding(b_tid)
        if waiting is not None and waiting.order.credits:
            raise HeadendError(f"{identity} has not acknowledged what it paid for, and nothing may overtake that")
        return [self._bsm.pull(service, b_tid) for service in services]
