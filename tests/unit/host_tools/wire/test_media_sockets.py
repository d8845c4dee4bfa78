"""Sockets of a broadcast: own addresses and groups, another service, and what the system had to drop."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import pytest

from host_tools.exchange.errors import TransportError
from host_tools.exchange.transport import Endpoint
from host_tools.wire import media_sockets
from host_tools.wire.media_sockets import MediaSockets, PacketPort, Received
from tests.support.free_ports import free_ports

HERE = "127.0.0.1"


def sent(place: Endpoint, *payloads: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(HERE))
        out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        for payload in payloads:
            out.sendto(payload, (place.address, place.port))


def until(sockets: MediaSockets, enough: Callable[[list[Received]], bool]) -> list[Received]:
    found: list[Received] = []
    end = time.monotonic() + 20
    while not enough(found) and time.monotonic() < end:
        found += sockets.wait(0.1)
    return found


def test_what_comes_has_its_place_and_its_time() -> None:
    port = free_ports(HERE, 2)
    one, two = Endpoint(HERE, port), Endpoint(HERE, port + 1)
    with MediaSockets(HERE) as sockets:
        sockets.tune([one, two, one])
        sent(one, b"media")
        sent(two, b"stkm")
        found = until(sockets, lambda found: len(found) == 2)
    assert {(one.place.port, one.payload) for one in found} == {(port, b"media"), (port + 1, b"stkm")}
    assert abs(found[0].at - time.time()) < 30


def test_a_backlog_is_read_in_the_order_in_which_it_came() -> None:
    """More media than are read at once, and STKMs among them: none of these overtakes the media before it."""
    port = free_ports(HERE, 2)
    media, stkms = Endpoint(HERE, port), Endpoint(HERE, port + 1)
    order = [(stkms if number % 100 == 50 else media, str(number).encode()) for number in range(700)]
    with MediaSockets(HERE) as sockets:
        sockets.tune([media, stkms])
        for place, payload in order:
            sent(place, payload)
        found = until(sockets, lambda found: len(found) == len(order))
    assert [(one.place, one.payload) for one in found] == order


def test_another_service_is_another_set_of_ports() -> None:
    port = free_ports(HERE, 2)
    one, two = Endpoint(HERE, port), Endpoint(HERE, port + 1)
    with MediaSockets(HERE) as sockets:
        sockets.tune([one])
        sockets.tune([two])
        sent(one, b"gone")
        sent(two, b"here")
        assert [found.payload for found in until(sockets, bool)] == [b"here"]
        sockets.tune([one])  # its port is free again


def test_an_address_of_the_announcement_that_is_none_of_here_is_listened_to_here() -> None:
    port = free_ports(HERE, 1)
    with MediaSockets(HERE) as sockets:
        sockets.tune([Endpoint("198.51.100.7", port)])
        sent(Endpoint(HERE, port), b"x")
        (found,) = until(sockets, bool)
        assert found.place.address == "198.51.100.7"


def test_two_terminals_hear_one_group() -> None:
    group = Endpoint("239.77.12.9", free_ports(HERE, 1))
    with MediaSockets(HERE) as one, MediaSockets(HERE) as two:
        one.tune([group])
        two.tune([group])
        sent(group, b"to all")
        assert [found.payload for found in until(one, bool)] == [b"to all"]
        assert [found.payload for found in until(two, bool)] == [b"to all"]


def test_what_is_not_read_in_time_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_sockets, "_BUFFER", 4_096)
    place = Endpoint(HERE, free_ports(HERE, 1))
    with MediaSockets(HERE) as sockets:
        sockets.tune([place])
        sent(place, *(bytes(200) for _ in range(400)))
        heard = 0
        while sockets.dropped[place] + heard < 400:
            heard += len(list(sockets.wait(0.1)))
        assert sockets.dropped == {place: 400 - heard}
        sockets.tune([])
        assert sockets.dropped == {place: 400 - heard}
    assert 0 < heard < 300


def test_a_port_that_somebody_has_is_named() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((HERE, 0))
        port = taken.getsockname()[1]
        with MediaSockets(HERE) as sockets, pytest.raises(TransportError, match=f"UDP port {port} of {HERE}"):
            sockets.tune([Endpoint(HERE, port)])


@pytest.mark.parametrize("nobody", ["no.such.name.invalid", "a" * 70, "300.1.2.3"])
def test_a_name_that_leads_nowhere_is_told_before_anything_is_sent(nobody: str) -> None:
    with pytest.raises(TransportError, match="no IPv4 address"):
        PacketPort(Endpoint(nobody, 7000))


def test_nobody_need_listen_to_what_is_sent_on() -> None:
    port = PacketPort(Endpoint(HERE, free_ports(HERE, 1)))
    for _ in range(50):
        port.send(b"x")
    port.close()
    assert port.refused < 50
