"""UDP sockets whose datagrams say when they arrived, as the system noted it, and how many it had to drop."""

from __future__ import annotations

import socket
import struct
import time
from enum import IntEnum
from typing import Final

from host_tools.exchange.transport import Endpoint

_TIMESPEC: Final = struct.Struct("@ll")
_EXTRA: Final = socket.CMSG_SPACE(_TIMESPEC.size)
_MOST_PROBES = 50
_PROBE_TIME = 0.002  # seconds
_MEMORY: Final = struct.Struct("=9I")  # what SO_MEMINFO tells; the last is what was dropped


class Option(IntEnum):
    """Options of sockets that Python has no names for."""

    ARRIVAL = 35  # SO_TIMESTAMPNS: say with each datagram when it came
    MEMORY = 55  # SO_MEMINFO: how full it is, and how many datagrams were dropped


def stamp(opened: socket.socket) -> None:
    """Have the system say of a socket's datagrams when they arrived."""
    opened.setsockopt(socket.SOL_SOCKET, Option.ARRIVAL, 1)


def receive(opened: socket.socket, most: int) -> tuple[float, Endpoint, bytes]:
    """Return a datagram: when it arrived (seconds since 1970), from where, and what is in it, at most so many octets.

    Where the system did not note the time it is the time of reading. Raises `OSError` when none is there.
    """
    payload, extra, _flags, source = opened.recvmsg(most, _EXTRA)
    place = Endpoint(*source[:2])
    for level, kind, data in extra:
        if level == socket.SOL_SOCKET and kind == Option.ARRIVAL:
            return _seconds(data), place, payload
    return time.time(), place, payload


def dropped(opened: socket.socket) -> int:
    """Return how many datagrams the system dropped because a socket was full, those after the last read included."""
    try:
        told = opened.getsockopt(socket.SOL_SOCKET, Option.MEMORY, _MEMORY.size)
    except OSError:  # a system that does not tell
        return 0
    return int(_MEMORY.unpack(told)[-1]) if len(told) == _MEMORY.size else 0


def stamping() -> socket.socket:
    """Return a socket that keeps the system stamping what arrives, once it does so.

    Linux stamps arrivals only while a socket asks for it, and begins a moment after the first one did. What came in
    between would bear the time at which it is read: the first of a backlog would seem to be its last.
    """
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        probe.setblocking(False)
        stamp(probe)
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


def _seconds(data: bytes) -> float:
    whole, nanoseconds = _TIMESPEC.unpack(data[: _TIMESPEC.size])
    return float(whole + nanoseconds / 1e9)
