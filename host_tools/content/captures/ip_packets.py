"""IP packets around datagrams, with checksums, for captures that are written."""

from __future__ import annotations

import ipaddress
import struct
from typing import Any

import dpkt

from host_tools.content.captures.datagrams import Datagram
from host_tools.content.errors import CaptureError

_MULTICAST_TTL = 32


def udp_packet(datagram: Datagram) -> bytes:
    """Return a datagram as an IP packet. Raises `CaptureError` for an address, port or size that does not fit."""
    try:
        return bytes(_ip_packet(datagram))
    except (ValueError, OverflowError, struct.error, dpkt.Error) as error:
        raise CaptureError(f"a datagram to {datagram.destination} cannot be written: {error}") from None


def _ip_packet(datagram: Datagram) -> Any:
    source, destination = (ipaddress.ip_address(end.host) for end in (datagram.source, datagram.destination))
    if source.version != destination.version:
        raise ValueError("source and destination are of different IP versions")
    udp = dpkt.udp.UDP(sport=datagram.source.port, dport=datagram.destination.port, ulen=8 + len(datagram.payload))
    udp.data = datagram.payload
    if source.version == 4:
        return dpkt.ip.IP(
            src=source.packed, dst=destination.packed, p=dpkt.ip.IP_PROTO_UDP, ttl=_MULTICAST_TTL, data=udp
        )
    return dpkt.ip6.IP6(
        src=source.packed,
        dst=destination.packed,
        nxt=dpkt.ip.IP_PROTO_UDP,
        p=dpkt.ip.IP_PROTO_UDP,
        hlim=_MULTICAST_TTL,
        plen=udp.ulen,
        data=udp,
    )
