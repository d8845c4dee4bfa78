"""In which order LTKMs go to subscribers, what goes again when no answer comes, and when.

Each LTKM is made at the moment it is sent, as T grows with every message sent (TS 33.246 clause 6.4.3), and the next
waits for the answer to the one before. The times are ours; no text gives any.

* A plain MSK message goes again with a new T: to the card it is a new message, and the same key twice does no harm.
  After the last try the BSM waits no longer for it; one that withdraws a key goes out again with the next request.
* An LTKM that credits tokens or sets a counter goes again as the same octets, or a card that got the first one would
  credit twice. While it waits nothing with a higher T may go out, a solicited pull neither, or the card could never
  take it. After the last try it stays outstanding; the next order, or the next registration, lets it go out again.
  This is a choice for OMA BCAST, whose own text was not at hand.

A new B-TID is a new SMK with a T of its own. What was only ordered goes out under it. A plain message that was sent
under the old one is ordered again. One that credits is in doubt then: the card may have taken it, and it takes nothing
under the old SMK any more once it has seen the new one. It waits until the terminal registers, or says in another
request what it took, or its answer comes late; what it did not take is made anew under the new SMK. A terminal that
took it, registers and does not say so is credited twice; `remint=False` leaves such an LTKM in doubt for good instead.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from card.codec.mikey import Identity, MikeyMessage, Timestamp
from card.errors import DecodeError, EncodeError
from host_tools.headend.bsm.books import Line, Outbox, Outstanding, Route
from host_tools.headend.bsm.ltkm import name_in
from host_tools.headend.bsm.orders import Mint, Order, OrderKind
from host_tools.headend.bsm.server import Bsm
from host_tools.headend.errors import HeadendError, VerificationError

FIRST_WAIT = 2.0
"""Seconds until the first retransmission; the wait doubles each time."""
MOST_TRIES = 5
"""How often an LTKM goes out again."""
_log = logging.getLogger(__name__)


class LtkmSender:
    """What is on its way to all subscribers of a BSM. Its owner says what time it is, in seconds since 1970.

    `resent` counts LTKMs that went out again, `believed` those that a terminal says it took, `reminted` those made anew
    under another SMK.
    """

    def __init__(
        self,
        bsm: Bsm,
        mint: Mint,
        outbox: Outbox,
        *,
        remint: bool = True,
        on_answer: Callable[[Outstanding], None] = lambda _: None,
    ) -> None:
        """Take the BSM whose LTKMs these are, what makes them, where they wait, and who hears of each that is answered.

        `on_answer` is called within the transaction that settles the LTKM.
        """
        self._bsm = bsm
        self._mint = mint
        self._outbox = outbox
        self._remint = remint
        self.on_answer = on_answer
        self.resent = 0
        self.believed = 0
        self.reminted = 0

    def order(self, identity: str, route: Route, orders: Iterable[Order], now: float) -> None:
        """Put LTKMs behind those of this subscriber that wait. Raises `HeadendError` when too many do."""
        self._move(identity, route.b_tid)
        for order in orders:
            self._outbox.add(identity, order)
        self._outbox.put_line(self._line(identity, route, now))

    def begin(
        self, identity: str, route: Route, orders: Iterable[Order], taken: Collection[tuple[str, int]], now: float
    ) -> None:
        """Begin anew with these LTKMs, as the terminal has registered, or left; what credits is not forgotten.

        `taken` names what the terminal says it took, each by B-TID and T. Raises `HeadendError` when too much waits.
        """
        wanted, outbox = tuple(orders), self._outbox
        ordered = {order.service for order in wanted}
        for number, order in outbox.orders(identity):
            stays = order.credits or (order.kind is OrderKind.WITHDRAWAL and order.service not in ordered)
            if not stays:
                outbox.drop(identity, number)
        for one in outbox.outstanding_of(identity):
            self._decide(one, route, taken, ordered)
        for order in wanted:
            outbox.add(identity, order)
        outbox.put_line(Line(identity, route, now))

    def told(self, identity: str, route: Route, taken: Collection[tuple[str, int]], now: float) -> None:
        """Settle what credits, as the terminal has said what it took without registering; `taken` as in `begin`.

        One that bought nothing but tokens has nothing to register for, and would be left in doubt for good.
        """
        is_settled = False
        for one in self._outbox.outstanding_of(identity):
            if one.order.credits and self._decide(one, route, taken, ()):
                is_settled = True
        if is_settled:
            self._outbox.put_line(self._line(identity, route, now))

    def seen(self, identity: str, route: Route, now: float) -> None:
        """Go on with what was given up, as the terminal has just asked for something: it is there.

        One that has left everything registers no more, and would keep the keys of what it left.
        """
        line = self._outbox.line(identity)
        if line is None or line.at is not None:
            return
        if self._outbox.first(identity) is not None or self._outbox.outstanding(route.b_tid) is not None:
            self._outbox.put_line(Line(identity, route, now))

    def _decide(
        self, one: Outstanding, route: Route, taken: Collection[tuple[str, int]], ordered: Collection[str]
    ) -> bool:
        """Settle one that is outstanding when the terminal registers or says what it took; return whether it could be.

        `ordered` are services that come.
        """
        if (one.b_tid, _counter(one.ltkm)) in taken:
            self.believed += 1
        elif one.order.kind is OrderKind.WITHDRAWAL and one.order.service not in ordered:
            self._outbox.add(one.identity, one.order, ahead=True)
        elif not one.order.credits:
            pass  # what is registered for is ordered anew
        elif one.b_tid == route.b_tid or not self._remint or one.order.kind is OrderKind.OCTETS:
            return False
        else:
            self.reminted += 1
            self._outbox.add(one.identity, one.order, ahead=True)
        self._outbox.settle(one.b_tid)
        return True

    def step(self, line: Line, now: float) -> tuple[bytes, ...]:
        """Return what goes out on a line now, and put the line again, with its next time."""
        waiting, sent = self._outbox.outstanding(line.route.b_tid), list[bytes]()
        if waiting is not None and line.tries < MOST_TRIES:
            sent += self._again(waiting)
        if sent:
            self.resent += 1
            tries = line.tries + 1
            line = replace(line, tries=tries, at=now + FIRST_WAIT * 2**tries)
        elif waiting is not None and waiting.order.credits:
            line = replace(line, at=None)
        else:
            if waiting is not None:  # the last try is over, or it cannot go out again
                self._outbox.settle(waiting.b_tid)
            made = None if waiting is not None and self._is_set_aside(waiting) else self._make(line, sent)
            line = replace(line, tries=0, at=None if made is None else now + FIRST_WAIT)
        self._outbox.put_line(line)
        return tuple(sent)

    def answered(self, verification: bytes, now: float) -> Line | None:
        """Take a verification message; return the line that may go on, None where none does.

        Raises `VerificationError` for a wrong one, or when nothing waits for it; `DecodeError`. After a wrong one the
        wait goes on. An answer to an earlier copy of a plain MSK message names an earlier T and counts as wrong: the
        terminal answers the later one too.
        """
        b_tid = name_in(MikeyMessage.decode(verification).one(Identity).value)
        waiting = self._outbox.outstanding(b_tid)
        if waiting is not None:
            self._outbox.hold(waiting.identity)
            waiting = self._outbox.outstanding(b_tid)
        if waiting is None:
            raise VerificationError("no LTKM waits for a verification message of this B-TID")
        self._bsm.verify(waiting.ltkm, verification)
        self._outbox.settle(b_tid)
        self.on_answer(waiting)
        line = self._outbox.line(waiting.identity)
        if line is None or line.route.b_tid != b_tid:
            return None
        line = replace(line, tries=0, at=now)
        self._outbox.put_line(line)
        return line

    def _line(self, identity: str, route: Route, now: float) -> Line:
        """Return the line of a subscriber for whom something was ordered."""
        before, waiting = self._outbox.line(identity), self._outbox.outstanding(route.b_tid)
        if before is None or waiting is None:
            return Line(identity, route, now)
        if before.at is None:  # it was given up: its timer starts again
            return Line(identity, route, now + FIRST_WAIT)
        return replace(before, route=route)

    def _move(self, identity: str, b_tid: str) -> None:
        """Order again what was sent under an earlier B-TID and does not credit."""
        for one in self._outbox.outstanding_of(identity):
            if one.b_tid != b_tid and not one.order.credits:
                self._outbox.add(identity, one.order, ahead=True)
                self._outbox.settle(one.b_tid)

    def _is_set_aside(self, waiting: Outstanding) -> bool:
        """Keep a withdrawal that did not arrive for later; tell whether nothing else is to be sent meanwhile.

        It goes out with the next order or request, behind the others: else the terminal would keep the key. Where the
        service was bought again since, its key waits, and is not to be withdrawn.
        """
        if waiting.order.kind is not OrderKind.WITHDRAWAL:
            return False
        queue = [order for _, order in self._outbox.orders(waiting.identity)]
        if all(order.kind is OrderKind.WITHDRAWAL or order.service != waiting.order.service for order in queue):
            self._outbox.add(waiting.identity, waiting.order)
        return all(order.kind is OrderKind.WITHDRAWAL for order in queue)

    def _make(self, line: Line, sent: list[bytes]) -> Outstanding | None:
        """Make LTKMs up to the first that must be acknowledged, and return that.

        One that was paid for and cannot be made stays in the queue, and is tried again with the next order; what stands
        behind it goes.
        """
        identity, b_tid = line.identity, line.route.b_tid
        staying: set[int] = set()
        while (found := self._next(identity, staying)) is not None:
            number, order = found
            try:
                ltkm = self._mint.mint(order, b_tid)
            except (HeadendError, EncodeError) as error:
                _log.info("no LTKM for %s: %s", b_tid, error)
                if order.credits:
                    staying.add(number)
                else:
                    self._outbox.drop(identity, number)
                continue
            self._outbox.drop(identity, number)
            sent.append(ltkm)
            if MikeyMessage.decode(ltkm).header.verification_requested:
                made = Outstanding(identity, b_tid, order, ltkm)
                self._outbox.keep(made)
                return made
        return None

    def _next(self, identity: str, staying: Collection[int]) -> tuple[int, Order] | None:
        """Return the order that goes next, but for those that stay."""
        if not staying:
            return self._outbox.first(identity)
        return next((found for found in self._outbox.orders(identity) if found[0] not in staying), None)

    def _again(self, waiting: Outstanding) -> list[bytes]:
        """Return what goes out once more; nothing when it cannot be made."""
        if waiting.order.credits or waiting.order.kind is OrderKind.OCTETS:
            return [waiting.ltkm]
        try:
            ltkm = self._bsm.renewed(waiting.ltkm)
        except HeadendError as error:
            _log.info("an LTKM cannot go out again: %s", error)
            return []
        self._outbox.keep(replace(waiting, ltkm=ltkm))
        return [ltkm]


def _counter(ltkm: bytes) -> int:
    try:
        return MikeyMessage.decode(ltkm).one(Timestamp).value
    except DecodeError:
        return -1
