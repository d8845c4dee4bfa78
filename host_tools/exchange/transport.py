"""The ports over which terminal and network reach each other, and what stands in for a wire in one process.

Only octets cross the in-process transport: a request is written, read again by the other side, and so is the answer.
What works here works on a wire.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import Protocol

from card.errors import DecodeError
from card.lean import lean_dataclass
from host_tools.exchange.errors import TransportError
from host_tools.exchange.http import HttpRequest, HttpResponse

LARGEST_DATAGRAM = 1400
"""Octets of a datagram that carries a key message; ours, so that none is cut into pieces."""
_MOST_ROUNDS = 1000


@lean_dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of a connection: its address, and the name in the certificate it showed, if any."""

    address: str
    port: int = 0
    certificate: str | None = None


class Server(Protocol):
    """What answers requests. It raises nothing: whatever goes wrong is an answer."""

    def handle(self, request: HttpRequest, peer: Peer, /) -> HttpResponse:
        """Return the answer."""


class Transport(Protocol):
    """A way to one server."""

    def exchange(self, request: HttpRequest, /) -> HttpResponse:
        """Send a request and return the answer. Raises `TransportError` when none came."""


Wiretap = Callable[[bytes, bytes], None]
"""Sees the octets of each request and of its answer."""


class InProcessTransport:
    """Carries octets to a server in the same process."""

    def __init__(self, server: Server, peer: Peer, tap: Wiretap | None = None) -> None:
        """Take the server, as whom it sees the client, and who watches the wire."""
        self._server = server
        self._peer = peer
        self._tap = tap

    def exchange(self, request: HttpRequest) -> HttpResponse:
        """Send a request and return the answer. Raises `TransportError` for octets that are no message."""
        sent = request.encode()
        try:
            received = self._server.handle(HttpRequest.decode(sent), self._peer).encode()
            answer = HttpResponse.decode(received)
        except DecodeError as error:
            raise TransportError(f"the message cannot be carried: {error}") from None
        if self._tap is not None:
            self._tap(sent, received)
        return answer


@lean_dataclass(frozen=True, slots=True)
class Endpoint:
    """Address and port of UDP."""

    address: str
    port: int


@lean_dataclass(frozen=True, slots=True)
class Datagram:
    """What one UDP packet carries, and between whom."""

    source: Endpoint
    destination: Endpoint
    payload: bytes = field(repr=False)


class DatagramReceiver(Protocol):
    """What takes datagrams. What cannot be read is dropped; only its owner's devices raise errors."""

    def received(self, datagram: Datagram, /) -> Iterable[Datagram]:
        """Take a datagram; return those to send in return."""


class InProcessDatagrams:
    """Carries datagrams between receivers in one process, when it is told to. `lost` counts those without a receiver.

    An entry of `receivers` with port 0 takes the datagrams to all ports of its address.
    """

    def __init__(self, receivers: Mapping[Endpoint, DatagramReceiver]) -> None:
        """Take who receives at which address."""
        self._receivers = dict(receivers)
        self._waiting: deque[Datagram] = deque()
        self.lost = 0

    def send(self, datagram: Datagram) -> None:
        """Put a datagram on its way."""
        self._waiting.append(datagram)

    def deliver(self) -> tuple[Datagram, ...]:
        """Deliver what waits and what comes of it; return it in this order. Raises `TransportError` without an end."""
        carried: list[Datagram] = []
        while self._waiting:
            if len(carried) == _MOST_ROUNDS:
                raise TransportError(f"after {_MOST_ROUNDS} datagrams there is no end: two receivers answer each other")
            datagram = self._waiting.popleft()
            carried.append(datagram)
            receiver = self._find(datagram.destination)
            if receiver is None:
                self.lost += 1
                continue
            self._waiting.extend(receiver.received(datagram))
        return tuple(carried)

    def _find(self, place: Endpoint) -> DatagramReceiver | None:
        return self._receivers.get(place) or self._receivers.get(Endpoint(place.address, 0))
