"""Key messages in the order of arrival, and no sooner than they are wanted."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from host_tools.wire import key_sockets
from host_tools.wire.key_sockets import KeySockets
from host_tools.wire.media_sockets import MediaSockets
from tests.support.head_end import free_address


@contextmanager
def opened() -> Iterator[tuple[KeySockets, list[int]]]:
    address = free_address()
    with KeySockets(address) as sockets, MediaSockets(address), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        ports = [place.port for place in sockets._sockets.values()]
        for number in range(6):
            out.sendto(b"%d" % number, (address, ports[number % len(ports)]))
        yield sockets, ports


def test_they_come_in_the_order_of_arrival_whatever_their_ports() -> None:
    with opened() as (sockets, ports):
        assert len(ports) > 1
        assert [one.payload for one in sockets.wait(5.0)] == [b"0", b"1", b"2", b"3", b"4", b"5"]
        assert sockets.wait(0.0) == ()


def test_what_came_later_waits_unless_it_is_wanted() -> None:
    with opened() as (sockets, _):
        before = time.time() - 3600
        assert sockets.wait(0.0, before) == ()
        assert [one.payload for one in sockets.wait(0.0, before, lambda octets: octets == b"2")] == [b"0", b"1", b"2"]
        assert sockets.wait(0.0, before, lambda octets: octets == b"2") == ()
        assert [one.payload for one in sockets.wait(5.0)] == [b"3", b"4", b"5"]


def test_what_waits_is_bounded() -> None:
    with opened() as (sockets, ports), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        address = next(iter(sockets._sockets.values())).address
        for _ in range(3):
            for _ in range(100):
                out.sendto(b"more", (address, ports[0]))
            assert sockets.wait(0.0, 0.0) == ()
        assert len(sockets._kept) <= key_sockets._MOST_KEPT
        assert [one.payload for one in sockets.wait(0.0)][:6] == [b"0", b"1", b"2", b"3", b"4", b"5"]
