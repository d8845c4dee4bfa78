"""UDP sockets for a broadcast that is listened to: STKMs and media, to addresses of this computer or to groups."""

from __future__ import annotations

import heapq
import select
import socket
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from math import inf
from types import TracebackType
from typing import Final, Self

from host_tools.exchange.errors import TransportError
from host_tools.exchange.transport import Endpoint
from host_tools.wire.arrivals import dropped, receive, stamp, stamping

_BUFFER: Final = 1 << 22
"""Octets that the system is asked to keep for each socket: some 10,000 packets while the reader does other things."""
_LARGEST = 65_536
_MOST_AT_ONCE = 256  # of one socket, so that none starves the others


@dataclass(frozen=True, slots=True)
class Received:
    """A datagram: when it arrived (seconds since 1970), from where, to which place, what was in it."""

    at: float
    source: Endpoint
    place: Endpoint
    payload: bytes


class MediaSockets:
    """Sockets for places, open for the length of a `with` block; `tune` opens others in their stead."""

    def __init__(self, interface: str) -> None:
        """Take the own IPv4 address: what is bound where a place is no group, and where groups are joined."""
        self._interface = interface
        self._places: dict[socket.socket, Endpoint] = {}
        self._dropped_before: Counter[Endpoint] = Counter()
        self._read: list[tuple[float, int, Received]] = []
        self._count = 0
        self._stamping: socket.socket | None = None

    def __enter__(self) -> Self:
        self._stamping = stamping()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all."""
        self._close()
        if self._stamping is not None:
            self._stamping.close()

    @property
    def dropped(self) -> Mapping[Endpoint, int]:
        """Datagrams that the system dropped because they were not read in time, by place, from the beginning."""
        found = Counter(self._dropped_before)
        for opened, place in self._places.items():
            found[place] += dropped(opened)
        return found

    def tune(self, places: Iterable[Endpoint]) -> None:
        """Listen at these places, and no longer at those before. Raises `TransportError`."""
        self._close()
        for place in dict.fromkeys(places):
            self._places[self._open(place)] = place

    def wait(self, seconds: float) -> Iterator[Received]:
        """Yield what has arrived, or arrives first within this time, in the order of arrival at all places.

        The order decides which keys a terminal still has: an STKM that came later must not be taken first. At most 256
        datagrams of each place are read at once; what came later than all that is known of another place waits for the
        next call.
        """
        select.select(list(self._places), (), (), 0 if self._read else seconds)
        before = self._count
        horizon = min((self._drain(opened) for opened in list(self._places)), default=inf)
        if self._count == before:
            horizon = inf  # nothing else came: there is no order to wait for, whatever the clock says
        while self._read and self._read[0][0] <= horizon:
            yield heapq.heappop(self._read)[2]

    def _drain(self, opened: socket.socket) -> float:
        """Read what has arrived at one place; return until when all of it is read."""
        place, at = self._places[opened], 0.0
        for _ in range(_MOST_AT_ONCE):
            begun = time.time()
            try:
                at, source, payload = receive(opened, _LARGEST)
            except OSError:
                return begun
            self._count += 1
            heapq.heappush(self._read, (at, self._count, Received(at, source, place, payload)))
        return at

    def _open(self, place: Endpoint) -> socket.socket:
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            opened.setblocking(False)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            stamp(opened)
            if ip_address(place.address).is_multicast:
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                opened.bind((place.address, place.port))
                member = socket.inet_aton(place.address) + socket.inet_aton(self._interface)
                opened.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
            else:
                opened.bind((self._interface, place.port))
        except OSError as error:
            opened.close()
            raise TransportError(
                f"UDP port {place.port} of {place.address} cannot be listened to at {self._interface}: "
                f"{error.strerror or error}"
            ) from None
        return opened

    def _close(self) -> None:
        self._dropped_before = Counter(self.dropped)
        self._read.clear()
        for opened in self._places:
            opened.close()
        self._places.clear()


class PacketPort:
    """Sends packets to one place on this computer or beside it. `refused` counts what the network did not take."""

    def __init__(self, target: Endpoint) -> None:
        """Take the place; its name is looked up now, and not with each packet. Raises `TransportError`."""
        try:
            found = socket.getaddrinfo(target.address, target.port, socket.AF_INET, socket.SOCK_DGRAM)
        except (OSError, UnicodeError):
            raise TransportError(f"{target.address} has no IPv4 address to send to") from None
        self._target = found[0][4]
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self.refused = 0

    def send(self, packet: bytes) -> None:
        """Send a packet."""
        try:
            self._socket.sendto(packet, self._target)
        except OSError:  # nobody listens, or the buffer is full
            self.refused += 1

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
