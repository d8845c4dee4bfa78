"""The UDP port from which LTKMs go out and at which verification messages arrive, on an event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any, Protocol, cast

from host_tools.exchange.transport import Datagram, Endpoint
from host_tools.headend.http.push import Pushes
from host_tools.wire.metrics import Traffic

_log = logging.getLogger(__name__)
_SHORTEST_REST = 0.02
_LONGEST_REST = 10.0
"""Seconds after which it looks what is due in any case: another process on the same store may have ended."""


class PushWatch(Protocol):
    """Who sees what crosses the port."""

    def sent(self, datagram: Datagram, /) -> None:
        """See a datagram that went out."""

    def heard(self, datagram: Datagram, taken: bool, /) -> None:
        """See one that came; `taken`: it acknowledges what was outstanding."""


class PushPort(asyncio.DatagramProtocol):
    """Sends what `pushes` has due, again where no acknowledgement comes, and hands it what arrives."""

    def __init__(self, pushes: Pushes, place: Endpoint, traffic: Traffic, watch: PushWatch | None = None) -> None:
        """Take what goes out and when again, the own address and port, where defects are counted, and who watches."""
        self._pushes = pushes
        self._place = place
        self._traffic = traffic
        self._watch = watch
        self._transport: asyncio.DatagramTransport | None = None
        self._wake: asyncio.TimerHandle | None = None
        self.sent = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket."""
        self._transport = cast("asyncio.DatagramTransport", transport)  # that of Python 3.11 does not say so
        self.flush()  # what an earlier process left

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Take a datagram of a terminal."""
        came, before = Datagram(Endpoint(addr[0], addr[1]), self._place, data), self._pushes.acknowledged
        self._do(lambda: self._pushes.received(came))
        if self._watch is not None:
            self._watch.heard(came, self._pushes.acknowledged != before)

    def error_received(self, exc: Exception) -> None:
        """Hear that nobody listens at a terminal's address: its timer deals with it."""
        _log.info("a terminal's port is closed: %s", type(exc).__name__)

    def flush(self) -> None:
        """Send what is due; to be called when an answer has been written."""
        self._do(self._pushes.due)

    def close(self) -> None:
        """Stop the timer and close the port. What is outstanding stays where it is kept."""
        if self._wake is not None:
            self._wake.cancel()
        if self._transport is not None:
            self._transport.close()

    def _do(self, step: Callable[[], Iterable[Datagram]]) -> None:
        """Send what a step returns, and set the timer for what is due next."""
        loop, wait = asyncio.get_running_loop(), _LONGEST_REST
        try:
            self._send(step())
            self._pushes.gone()
            at = self._pushes.next_at()
            if at is not None:
                wait = min(max(at - self._pushes.now, _SHORTEST_REST), _LONGEST_REST)
        except Exception as error:  # what arrives must not stop the port
            self._traffic.defects += 1
            _log.error("the port of LTKMs met an unexpected %s", type(error).__name__)
        if self._wake is not None:
            self._wake.cancel()
        self._wake = loop.call_later(wait, self.flush)

    def _send(self, datagrams: Iterable[Datagram]) -> None:
        for datagram in datagrams:
            if self._transport is not None:
                self.sent += 1
                if self._watch is not None:
                    self._watch.sent(datagram)
                self._transport.sendto(datagram.payload, (datagram.destination.address, datagram.destination.port))
