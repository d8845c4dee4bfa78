"""UDP sockets for a broadcast that is listened to: STKMs and media, to addresses of this computer or to groups."""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from types import TracebackType
from typing import Final, Self

from host_tools.exchange.errors import TransportError
from host_tools.exchange.transport import Endpoint

_BUFFER: Final = 1 << 22
"""Octets that the system is asked to keep for each socket: some 10,000 packets while the reader does other things."""
_LARGEST = 65_536
_MOST_AT_ONCE = 256  # of one socket, so that none starves the others
_DROPS = 40  # SO_RXQ_OVFL: the system says with each datagram how many it dropped
_U32 = struct.Struct("=I")


@dataclass(frozen=True, slots=True)
class Received:
    """A datagram: when it was read (seconds since 1970), from where, to which place, what was in it."""

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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all."""
        self._close()

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
        """Yield what has arrived, or arrives first within this time; at most 256 datagrams of each place."""
        ready, _, _ = select.select(list(self._places), (), (), seconds)
        for opened in ready:
            place = self._places.get(opened)
            for _ in range(_MOST_AT_ONCE):
                if place is None or opened not in self._places:
                    break
                try:
                    payload, extra, _flags, source = opened.recvmsg(_LARGEST, socket.CMSG_SPACE(_U32.size))
                except OSError:
                    break
                for level, kind, data in extra:
                    if (level, kind) == (socket.SOL_SOCKET, _DROPS):
                        self._dropped[opened] = _U32.unpack(data[: _U32.size])[0]
                yield Received(time.time(), Endpoint(*source[:2]), place, payload)

    def _open(self, place: Endpoint) -> socket.socket:
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            opened.setblocking(False)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            opened.setsockopt(socket.SOL_SOCKET, _DROPS, 1)
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
        for opened in self._places:
            opened.close()
        self._places.clear()


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
