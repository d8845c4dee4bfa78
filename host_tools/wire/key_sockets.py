"""The UDP ports on which a terminal takes key messages, for a program that waits for them."""

from __future__ import annotations

import errno
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from host_tools.exchange.errors import TransportError
from host_tools.exchange.messages.ltkm_push import LTKM_PORTS
from host_tools.exchange.transport import LARGEST_DATAGRAM, Datagram, Endpoint

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

    def wait(self, seconds: float) -> tuple[Datagram, ...]:
        """Return what has arrived, or arrives within this time first; empty for nothing."""
        ready, _, _ = select.select(list(self._sockets), (), (), seconds)
        return tuple(found for opened in ready for found in self._read(opened))

    def send(self, datagram: Datagram) -> None:
        """Send a datagram from the port that it names. What the network refuses is lost, as datagrams may be."""
        for opened, place in self._sockets.items():
            if place == datagram.source:
                try:
                    opened.sendto(datagram.payload, (datagram.destination.address, datagram.destination.port))
                except OSError:
                    return

    def _read(self, opened: socket.socket) -> Iterator[Datagram]:
        try:
            payload, source = opened.recvfrom(_READ)
        except OSError:  # such as the refusal of what was sent before
            return
        yield Datagram(Endpoint(*source[:2]), self._sockets[opened], payload)
