"""IP packets around datagrams, with checksums, for captures that are written.

By hand and not by dpkt, which takes ten times as long and made half of what a recording cost; the tests ask dpkt.
"""

from __future__ import annotations

import ipaddress
import struct
from functools import lru_cache

from host_tools.content.captures.datagrams import Datagram
from host_tools.content.errors import CaptureError

_MULTICAST_TTL = 32
_PROTOCOL = 17  # UDP
_IPV4 = struct.Struct("!BxHxxxxBBH8s")  # version and header length, length, TTL, protocol, checksum, addresses
_IPV6 = struct.Struct("!IHBB32s")  # version, length behind the header, next header, hop limit, addresses
_UDP = struct.Struct("!HHHH")
_CHECKED = struct.Struct("!HHHHH")  # of the pseudo header protocol and length, of UDP both ports and the length


def udp_packet(datagram: Datagram) -> bytes:
    """Return a datagram as an IP packet. Raises `CaptureError` for an address, port or size that does not fit."""
    (sender, from_port), (receiver, to_port), payload = datagram.source, datagram.destination, datagram.payload
    size = _UDP.size + len(payload)
    try:
        addresses = _addresses(sender, receiver)
        covered = addresses + _CHECKED.pack(_PROTOCOL, size, from_port, to_port, size) + payload
        udp = _UDP.pack(from_port, to_port, size, _checksum(covered) or 0xFFFF)
        return _header(addresses, size) + udp + payload
    except (ValueError, struct.error) as error:
        raise CaptureError(f"a datagram to {datagram.destination} cannot be written: {error}") from None


def _header(addresses: bytes, size: int) -> bytes:
    if len(addresses) > 8:
        return _IPV6.pack(6 << 28, size, _PROTOCOL, _MULTICAST_TTL, addresses)
    fields = 0x45, _IPV4.size + size, _MULTICAST_TTL, _PROTOCOL
    return _IPV4.pack(*fields, _checksum(_IPV4.pack(*fields, 0, addresses)), addresses)


def _checksum(covered: bytes) -> int:
    """Return the Internet checksum (RFC 1071): the sum of 16-bit words is what a long number leaves modulo FFFF."""
    return -int.from_bytes(covered + bytes(len(covered) % 2), "big") % 0xFFFF


@lru_cache(maxsize=1024)
def _addresses(sender: str, receiver: str) -> bytes:
    source, destination = ipaddress.ip_address(sender), ipaddress.ip_address(receiver)
    if source.version != destination.version:
        raise ValueError("source and destination are of different IP versions")
    return source.packed + destination.packed
