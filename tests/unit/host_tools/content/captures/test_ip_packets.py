"""IP packets that are made by hand: dpkt makes the same."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Literal

import dpkt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tools.content.captures.datagrams import Datagram, Endpoint
from host_tools.content.captures.ip_packets import udp_packet
from host_tools.content.errors import CaptureError

ports = st.integers(0, 0xFFFF)


def endpoints(version: Literal[4, 6]) -> st.SearchStrategy[Endpoint]:
    return st.builds(Endpoint, st.ip_addresses(v=version).map(str), ports)


def as_dpkt_makes_it(datagram: Datagram) -> bytes:
    source, destination = ip_address(datagram.source.host).packed, ip_address(datagram.destination.host).packed
    size = 8 + len(datagram.payload)
    udp = dpkt.udp.UDP(sport=datagram.source.port, dport=datagram.destination.port, ulen=size, data=datagram.payload)
    if len(source) == 4:
        return bytes(dpkt.ip.IP(src=source, dst=destination, p=17, ttl=32, data=udp))
    return bytes(dpkt.ip6.IP6(src=source, dst=destination, nxt=17, p=17, hlim=32, plen=size, data=udp))


@given(st.sampled_from([4, 6]), st.data(), st.binary(max_size=200))
def test_dpkt_makes_the_same_packet(version: Literal[4, 6], data: st.DataObject, payload: bytes) -> None:
    datagram = Datagram(1.0, data.draw(endpoints(version)), data.draw(endpoints(version)), payload)
    assert udp_packet(datagram) == as_dpkt_makes_it(datagram)


@pytest.mark.parametrize(("source", "destination"), [("10.0.0.1", "ff15::1"), ("nowhere", "10.0.0.1")])
def test_addresses_that_do_not_fit_are_refused(source: str, destination: str) -> None:
    with pytest.raises(CaptureError, match="cannot be written"):
        udp_packet(Datagram(1.0, Endpoint(source, 1), Endpoint(destination, 1), b""))
