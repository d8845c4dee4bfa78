"""Has terminals ask for their keys: a solicited pull by datagram, or by short message where no address is known.

TS 33.246 clause 6.3.2.2.4 has the message. By short message it is OMA's and its writing ours (`messages.sms_push`):
whom it reaches asks by HTTP as ever, and is served for an hour though it is not registered, for the items it has.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from host_tools.headend.bsm.books import Books
from host_tools.headend.bsm.server import Bsm
from host_tools.headend.errors import HeadendError
from host_tools.headend.http.key_management import KeyManagement
from host_tools.headend.http.short_messages import ShortMessages


class Way(Enum):
    """How a pull went out; the value is the word for it."""

    DATAGRAM = "datagram"
    SHORT_MESSAGE = "short message"


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
