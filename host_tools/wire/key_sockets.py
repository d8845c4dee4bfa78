"""The UDP ports on which a terminal takes key messages, for a program that waits for them.

Messages are given in the order in which they arrived. A terminal that hears a broadcast, too, takes them at their place
in it (`until`): it may be behind, and a key that is taken too early pushes out one that is still needed (a card keeps
two MSKs of a group, TS 31.102 clause 4.2.80).
"""

from __future__ import annotations

import errno
import heapq
import select
import socket
from collections.abc import Callable
from contextlib import ExitStack
from math import inf
from types import TracebackType
from typing import Self

from host_tools.exchange.errors import TransportError
from host_tools.exchange.messages.ltkm_push import LTKM_PORTS
from host_tools.exchange.transport import LARGEST_DATAGRAM, Datagram, Endpoint
from host_tools.wire.arrivals import receive, stamp

_MOST_KEPT = 256  # the rest waits in the system's buffers
_READ = LARGEST_DATAGRAM + 1  # one more, so that a longer datagram is seen to be too long


class KeySockets:
    """The ports on one address, open for the length of a `with` block."""

    def __init__(self, address: str, sms_port: int | None = None) -> None:
        """Take the address, which several terminals on one computer must not share.

        `sms_port` is one more, for short messages: one TPDU a datagram (ours, in place of a mobile network).
        """
        self._address = address
        self._ports = LTKM_PORTS if sms_port is None else (*LTKM_PORTS, sms_port)
        self._sockets: dict[socket.socket, Endpoint] = {}
        self._kept: list[tuple[float, int, Datagram]] = []
        self._count = 0

    def __enter__(self) -> Self:
        """Open the ports. Raises `TransportError` where one is taken."""
        with ExitStack() as stack:
            for port in self._ports:
                opened = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                try:
                    opened.bind((self._address, port))
                except OSError as error:
                    taken = "; another terminal may have it: give each an address of its own, such as 127.0.0.3"
                    hint = taken if error.errno == errno.EADDRINUSE else ""
                    raise TransportError(
                        f"UDP port {port} of {self._address} cannot be had: {error.strerror}{hint}"
                    ) from None
                opened.setblocking(False)
                stamp(opened)
                self._sockets[opened] = Endpoint(self._address, port)
            stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the ports."""
        for opened in self._sockets:
            opened.close()
        self._sockets.clear()
        self._kept.clear()

    def wait(
        self, seconds: float, until: float = inf, wanted: Callable[[bytes], bool] = lambda _: False
    ) -> tuple[Datagram, ...]:
        """Return what has arrived, or arrives within this time first; empty for nothing.

        Of what arrived after the moment `until` (seconds since 1970) only what is `wanted` is given, with all before
        it; the rest waits.
        """
        has_some = any(at <= until for at, *_ in self._kept[:1])
        ready, _, _ = select.select(list(self._sockets), (), (), 0 if has_some else seconds)
        for opened in ready:
            self._read(opened)
        if not self._kept:
            return ()
        last = max((at for at, _, datagram in self._kept if at > until and wanted(datagram.payload)), default=until)
        found: list[Datagram] = []
        while self._kept and self._kept[0][0] <= last:
            found.append(heapq.heappop(self._kept)[2])
        return tuple(found)

    def send(self, datagram: Datagram) -> None:
        """Send a datagram from the port that it names. What the network refuses is lost, as datagrams may be."""
        for opened, place in self._sockets.items():
            if place == datagram.source:
                try:
                    opened.sendto(datagram.payload, (datagram.destination.address, datagram.destination.port))
                except OSError:
                    return

    def _read(self, opened: socket.socket) -> None:
        """Read what a port has, as far as there is room for it."""
        for _ in range(_MOST_KEPT - len(self._kept)):
            try:
                at, source, payload = receive(opened, _READ)
            except BlockingIOError:
                return
            except OSError:  # such as the refusal of what was sent before
                continue
            self._count += 1
            heapq.heappush(self._kept, (at, self._count, Datagram(source, self._sockets[opened], payload)))
