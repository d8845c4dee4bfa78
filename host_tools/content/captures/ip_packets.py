"""IP packets around datagrams, with checksums, for captures that are written.

By hand and not by dpkt, which takes ten times as long and made half of what a recording cost; the tests ask dpkt.
"""

from __future__ import annotations

import ipaddress
import struct
from functools import lru_cache

from host_tools.content.captures.datagrams import Datagram, Endpoint
from host_tools.content.errors import CaptureError

_MULTICAST_TTL = 32
_PROTOCOL = 17  # UDP
_CONSTANT = 0x4500 + (_MULTICAST_TTL << 8) + _PROTOCOL  # the 16-bit words of an IPv4 header that are always the same
_UDP_SIZE = 8
_HEADER_SIZE = 20  # of IPv4
# Version and header length, length, TTL, protocol, checksum, addresses; of UDP both ports, the length, the checksum.
_IPV4_UDP = struct.Struct("!BxHxxxxBBH8s4sHH")
_IPV6_UDP = struct.Struct("!IHBB32s4sHH")  # version, length behind the header, next header, hop limit; the same
_PORTS = struct.Struct("!HH")
_WORDS = 0xFFFF
"""Modulo this, a long number leaves the sum of its 16-bit words, which the Internet checksum takes (RFC 1071)."""


def udp_packet(datagram: Datagram) -> bytes:
    """Return a datagram as an IP packet. Raises `CaptureError` for an address, port or size that does not fit."""
    payload = datagram.payload
    size = _UDP_SIZE + len(payload)
    try:
        addresses, ports, udp_sum, header_sum = _flow(datagram.source, datagram.destination)
        words = int.from_bytes(payload, "big") % _WORDS
        if size % 2:
            words <<= 8
        udp_checksum = -(udp_sum + 2 * size + words) % _WORDS or _WORDS
        if len(addresses) > 8:
            head = _IPV6_UDP.pack(6 << 28, size, _PROTOCOL, _MULTICAST_TTL, addresses, ports, size, udp_checksum)
            return head + payload
        length = _HEADER_SIZE + size
        checksum = -(header_sum + length) % _WORDS
        fields = length, _MULTICAST_TTL, _PROTOCOL, checksum, addresses, ports, size, udp_checksum
        return _IPV4_UDP.pack(0x45, *fields) + payload
    except (ValueError, struct.error) as error:
        raise CaptureError(f"a datagram to {datagram.destination} cannot be written: {error}") from None


@lru_cache(maxsize=1024)
def _flow(sender: Endpoint, receiver: Endpoint) -> tuple[bytes, bytes, int, int]:
    """Return addresses and ports of a datagram, and what they add to its checksums: UDP's and IPv4's."""
    source, destination = ipaddress.ip_address(sender.host), ipaddress.ip_address(receiver.host)
    if source.version != destination.version:
        raise ValueError("source and destination are of different IP versions")
    addresses, ports = source.packed + destination.packed, _PORTS.pack(sender.port, receiver.port)
    of_addresses = int.from_bytes(addresses, "big") % _WORDS
    return addresses, ports, of_addresses + _PROTOCOL + sender.port + receiver.port, of_addresses + _CONSTANT
