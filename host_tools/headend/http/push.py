"""LTKMs on their way to terminals, as datagrams (TS 33.246 clause 6.3.2.3).

What goes when is up to `bsm.ltkm_sender`; each step here is one transaction, and datagrams leave after it. The owner of
the sockets calls `due` after it has written an answer and whenever `next_at` says so, and gives what arrives to
`received`.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from dataclasses import replace

from card.errors import DecodeError
from host_tools.exchange.messages.ltkm_push import port_of, require_verification
from host_tools.exchange.transport import Datagram, Endpoint
from host_tools.headend.bsm.books import Books, Letter, Line, OutboxFigures, Route
from host_tools.headend.bsm.ltkm_sender import LtkmSender
from host_tools.headend.bsm.orders import Order
from host_tools.headend.clock import NetworkClock
from host_tools.headend.errors import HeadendError

_log = logging.getLogger(__name__)
_AT_ONCE = 32
"""Lines that are looked at in one transaction, and at a time; ours."""
_LOOK_FOR_LETTERS = 10.0
"""Seconds after which letters of another process are looked for, and those sent again that it may not have sent."""
_LETTERS_AT_ONCE = 256
_SET_ASIDE = 60.0
"""Seconds for which a line rests that met an error nobody expected."""


class Pushes:
    """What goes out to all subscribers.

    `acknowledged` and `dropped` count the datagrams that came in, `defects` exceptions that nobody expected.
    """

    def __init__(self, sender: LtkmSender, books: Books, source: Endpoint, clock: NetworkClock) -> None:
        """Take what makes LTKMs, the books it writes into, where datagrams come from, and the time."""
        self.sender = sender
        self._books = books
        self._source = source
        self._clock = clock
        self.acknowledged = 0
        self.dropped = 0
        self.defects = 0
        self._letters_at = 0.0
        self._given: list[int] = []

    @property
    def now(self) -> float:
        """The time in seconds since 1970."""
        return self._clock.now().timestamp()

    def order(self, identity: str, route: Route, orders: Iterable[Order]) -> None:
        """Put LTKMs behind those of this subscriber that wait, within the transaction of a request."""
        self.sender.order(identity, route, orders, self.now)

    def crediting(self, identity: str, b_tid: str) -> tuple[Order, ...]:
        """Return what credits this subscriber and is still to be taken by its card under the SMK of this B-TID."""
        outbox = self._books.outbox
        waiting = [order for _, order in outbox.orders(identity)]
        waiting += [one.order for one in outbox.outstanding_of(identity) if one.b_tid == b_tid]
        return tuple(order for order in waiting if order.credits)

    def restart(
        self, identity: str, route: Route, orders: Iterable[Order], taken: Collection[tuple[str, int]] = ()
    ) -> None:
        """Begin anew with these LTKMs, within the transaction of a request; `taken` as in `find_taken`."""
        self.sender.begin(identity, route, orders, taken, self.now)

    def told(self, identity: str, route: Route, taken: Collection[tuple[str, int]]) -> None:
        """Settle what is in doubt, within the transaction of a request that says what the terminal took."""
        self.sender.told(identity, route, taken, self.now)

    def seen(self, identity: str, route: Route) -> None:
        """Go on with what was given up, within the transaction of a request of this subscriber."""
        self.sender.seen(identity, route, self.now)

    def tell(self, place: Endpoint, payload: bytes) -> None:
        """Send a datagram that nobody acknowledges, as a trigger is, the next time something goes out.

        It is written down within the transaction of a request, until it has gone.
        """
        self._books.letters.add(place, payload, self.now)
        self._letters_at = 0.0

    def next_at(self) -> float | None:
        """Return when `due` is to be called next, in seconds since 1970; None for not before something is ordered."""
        if self._letters_at <= self.now:
            return self.now
        with self._books.transactions.transaction():
            return self._books.outbox.next_at()

    def figures(self) -> OutboxFigures:
        """Return how much waits in all."""
        with self._books.transactions.transaction():
            return self._books.outbox.figures()

    def due(self) -> tuple[Datagram, ...]:
        """Return what can go out now, on a bounded number of lines, those that have waited longest.

        The rest is due at once (`next_at`). Were all of it made first, nothing would be answered meanwhile, and what
        was made first would be due again before it is out.
        """
        letters = self._letters()
        try:
            with self._books.transactions.transaction():
                lines = self._books.outbox.due(self.now, _AT_ONCE)
                made = [datagram for line in lines for datagram in self._step(line)]
        except Exception as error:  # one line must not hold up the others
            self._at_fault(error)
            made = self._one_by_one()
        self._given += (letter.number for letter in letters)
        return (*(Datagram(self._source, letter.place, letter.payload) for letter in letters), *made)

    def gone(self) -> None:
        """Hear that what was due has been sent. A letter that a process has sent and not noted goes again."""
        if self._given:
            with self._books.transactions.transaction():
                self._books.letters.drop(self._given)
            self._given = []

    def received(self, datagram: Datagram) -> tuple[Datagram, ...]:
        """Take a verification message and return what can go out now. What is none is dropped and counted."""
        try:
            require_verification(datagram.payload)
            with self._books.transactions.transaction():
                line = self.sender.answered(datagram.payload, self.now)
                following = () if line is None else self._step(line)
        except (DecodeError, HeadendError) as error:
            self.dropped += 1
            _log.info("a datagram is dropped: %s", error)
            return ()
        self.acknowledged += 1
        return following

    def _letters(self) -> tuple[Letter, ...]:
        """Return the letters that are to go out."""
        now = self.now
        if self._letters_at > now:
            return ()
        with self._books.transactions.transaction():
            found = self._books.letters.due(now, now + _LOOK_FOR_LETTERS, _LETTERS_AT_ONCE)
        if len(found) < _LETTERS_AT_ONCE:
            self._letters_at = now + _LOOK_FOR_LETTERS
        return found

    def _step(self, line: Line) -> tuple[Datagram, ...]:
        return tuple(self._datagram(line, ltkm) for ltkm in self.sender.step(line, self.now))

    def _one_by_one(self) -> list[Datagram]:
        """Look at the lines that are due each in a transaction of its own; one that fails rests for a while."""
        made: list[Datagram] = []
        with self._books.transactions.transaction():
            lines = self._books.outbox.due(self.now, _AT_ONCE)
        for line in lines:
            try:
                with self._books.transactions.transaction():
                    part = self._step(line)
                made += part  # once it is kept: what is not must not go out
            except Exception as error:
                self._at_fault(error)
                with self._books.transactions.transaction():
                    self._books.outbox.put_line(replace(line, at=self.now + _SET_ASIDE))
        return made

    def _at_fault(self, error: Exception) -> None:
        self.defects += 1
        _log.error("the line of LTKMs met an unexpected %s", type(error).__name__)

    def _datagram(self, line: Line, ltkm: bytes) -> Datagram:
        return Datagram(self._source, Endpoint(line.route.address, line.route.port or port_of(ltkm)), ltkm)
