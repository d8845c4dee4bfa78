"""UDP sockets for a broadcast that is listened to: STKMs and media, to addresses of this computer or to groups."""

from __future__ import annotations

import heapq
import select
import socket
import struct
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import ip_address
from math import inf
from types import TracebackType
from typing import Final, Self

from host_tools.exchange.errors import TransportError
from host_tools.exchange.transport import Endpoint

_BUFFER: Final = 1 << 22
"""Octets that the system is asked to keep for each socket: some 10,000 packets while the reader does other things."""
_LARGEST = 65_536
_MOST_AT_ONCE = 256  # of one socket, so that none starves the others
_MOST_PROBES = 50
_PROBE_TIME = 0.002  # seconds
_U32 = struct.Struct("=I")
_TIMESPEC = struct.Struct("@ll")
_EXTRA = socket.CMSG_SPACE(_U32.size) + socket.CMSG_SPACE(_TIMESPEC.size)


class Option(IntEnum):
    """Options of sockets that Python has no names for: what the system says with each datagram."""

    ARRIVAL = 35  # SO_TIMESTAMPNS: when it came
    DROPS = 40  # SO_RXQ_OVFL: how many were dropped before it


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
        self._dropped: dict[socket.socket, int] = {}
        self._dropped_before = 0
        self._read: list[tuple[float, int, Received]] = []
        self._count = 0
        self._stamped: socket.socket | None = None

    def __enter__(self) -> Self:
        self._stamped = _stamped()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all."""
        self._close()
        if self._stamped is not None:
            self._stamped.close()

    @property
    def dropped(self) -> int:
        """Datagrams that the system dropped because they were not read in time."""
        return self._dropped_before + sum(self._dropped.values())

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
        at = 0.0
        for _ in range(_MOST_AT_ONCE):
            at = time.time()
            try:
                payload, extra, _flags, source = opened.recvmsg(_LARGEST, _EXTRA)
            except OSError:
                break
            for level, kind, data in extra:
                match (level, kind):
                    case (socket.SOL_SOCKET, Option.DROPS):
                        self._dropped[opened] = _U32.unpack(data[: _U32.size])[0]
                    case (socket.SOL_SOCKET, Option.ARRIVAL):
                        at = _seconds(data)
            self._count += 1
            received = Received(at, Endpoint(*source[:2]), self._places[opened], payload)
            heapq.heappush(self._read, (at, self._count, received))
        return at

    def _open(self, place: Endpoint) -> socket.socket:
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            opened.setblocking(False)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            for option in Option:
                opened.setsockopt(socket.SOL_SOCKET, option, 1)
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
        self._dropped_before = self.dropped
        self._dropped.clear()
        self._read.clear()
        for opened in self._places:
            opened.close()
        self._places.clear()


def _seconds(stamp: bytes) -> float:
    whole, nanoseconds = _TIMESPEC.unpack(stamp[: _TIMESPEC.size])
    return float(whole + nanoseconds / 1e9)


def _stamped() -> socket.socket:
    """Return a socket that keeps the system stamping what arrives, once it does so.

    Linux stamps arrivals only while a socket asks for it, and begins a moment after the first one did. What came in
    between would bear the time at which it is read: the first of a backlog would seem to be its last.
    """
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        probe.setblocking(False)
        probe.setsockopt(socket.SOL_SOCKET, Option.ARRIVAL, 1)
        probe.bind(("127.0.0.1", 0))
        for _ in range(_MOST_PROBES):
            probe.sendto(b"", probe.getsockname())
            time.sleep(_PROBE_TIME)
            read = time.time()
            _payload, extra, _flags, _source = probe.recvmsg(0, _EXTRA)
            if any(_seconds(data) < read - _PROBE_TIME / 2 for *_, data in extra):
                break
    except OSError:
        pass  # no loopback in this network: the order is what the stamps say
    return probe


class PacketPort:
    """Sends packets to one place on this computer or beside it. What the network refuses is lost."""

    def __init__(self, target: Endpoint) -> None:
        self._target = (target.address, target.port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self.refused = 0

    def send(self, packet: bytes) -> None:
        """Send a packet."""
        try:
            self._socket.sendto(packet, self._target)
        except OSError:  # nobody listens, or its buffer is full
            self.refused += 1

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
