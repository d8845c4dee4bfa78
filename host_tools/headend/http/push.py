"""LTKMs on their way to terminals, as datagrams (TS 33.246 clause 6.3.2.3).

Each subscriber has a queue of its own; the next LTKM is made when the one before is acknowledged (`ltkm_sender`). The
owner of the sockets calls `due` after it has written an answer, gives what arrives to `received`, and calls `again`
when a timer is over.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from card.codec.mikey import Identity
from card.errors import DecodeError
from host_tools.exchange.messages.ltkm_push import port_of, require_verification
from host_tools.exchange.transport import Datagram, Endpoint
from host_tools.headend.bsm.ltkm_sender import LtkmSender, Order
from host_tools.headend.bsm.server import Bsm
from host_tools.headend.errors import HeadendError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Route:
    """Where the pushes of a subscriber go, and under which B-TID (or NAI)."""

    address: str
    b_tid: str


@dataclass(slots=True)
class _Line:
    route: Route
    sender: LtkmSender
    orders: int = 0


class Pushes:
    """What goes out to all subscribers. `acknowledged` and `dropped` count the datagrams that came in."""

    def __init__(self, bsm: Bsm, source: Endpoint) -> None:
        """Take the BSM whose LTKMs these are, and where datagrams come from."""
        self._bsm = bsm
        self._source = source
        self._lines: dict[str, _Line] = {}
        self.acknowledged = 0
        self.dropped = 0

    def order(self, identity: str, route: Route, orders: Iterable[Order]) -> None:
        """Put LTKMs behind those of this subscriber that wait; under a new B-TID what waited is void."""
        line = self._lines.get(identity)
        if line is None or line.route.b_tid != route.b_tid:
            line = self._lines[identity] = _Line(route, LtkmSender(self._bsm))
        line.route = route
        for order in orders:
            line.orders += 1
            line.sender.add(order)

    def restart(self, identity: str, route: Route, orders: Iterable[Order]) -> None:
        """Forget what waits for this subscriber and begin with these LTKMs."""
        self._lines.pop(identity, None)
        self.order(identity, route, orders)

    def due(self) -> tuple[Datagram, ...]:
        """Return what can go out now."""
        return tuple(datagram for line in self._lines.values() for datagram in self._next(line))

    def outstanding(self) -> dict[str, tuple[object, bool]]:
        """Return who has not acknowledged an LTKM, by identity, and whether it credits.

        The first of the two is equal as long as it is the same LTKM and nothing was ordered since.
        """
        waiting = {identity: (line, line.sender.outstanding) for identity, line in self._lines.items()}
        return {
            identity: ((found.token, line.orders), found.credits)
            for identity, (line, found) in waiting.items()
            if found is not None
        }

    def give_up(self, identity: str) -> tuple[Datagram, ...]:
        """Wait no longer for a subscriber's acknowledgement, and return what can go out now."""
        line = self._lines.get(identity)
        if line is None:
            return ()
        line.sender.give_up()
        return self._next(line)

    def again(self, identity: str) -> tuple[Datagram, ...]:
        """Return what goes out to a subscriber once more, as no acknowledgement came in time."""
        line = self._lines.get(identity)
        ltkm = line.sender.again() if line else None
        return () if line is None or ltkm is None else (self._datagram(line, ltkm),)

    def received(self, datagram: Datagram) -> tuple[Datagram, ...]:
        """Take a verification message and return what can go out now. What is none is dropped and counted."""
        try:
            message = require_verification(datagram.payload)
            b_tid = message.one(Identity).value
            line = next((line for line in self._lines.values() if line.route.b_tid.encode() == b_tid), None)
            if line is None:
                raise HeadendError("nothing was sent to this B-TID")
            line.sender.answered(datagram.payload)
        except (DecodeError, HeadendError) as error:
            self.dropped += 1
            _log.info("a datagram is dropped: %s", error)
            return ()
        self.acknowledged += 1
        return self._next(line)

    def _next(self, line: _Line) -> tuple[Datagram, ...]:
        """Return the LTKMs of one subscriber up to the first that must be acknowledged."""
        made: list[Datagram] = []
        try:
            while (ltkm := line.sender.next()) is not None:
                made.append(self._datagram(line, ltkm))
        except HeadendError as error:
            _log.info("no LTKM for %s: %s", line.route.b_tid, error)
        return tuple(made)

    def _datagram(self, line: _Line, ltkm: bytes) -> Datagram:
        return Datagram(self._source, Endpoint(line.route.address, port_of(ltkm)), ltkm)
