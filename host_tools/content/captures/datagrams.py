"""The UDP datagram inside an IP packet: IPv4 (RFC 791), IPv6 (RFC 8200), and tunnels on the way to it.

Opened are IP in IP (RFC 2003, RFC 4213), GRE without keys or checksums to verify (RFC 2784, RFC 2890), and GTP-U
(TS 29.281 clause 5), which is where a mobile network keeps its users' packets. A fragment is handed back for whoever
joins them; tunnels that need a key are left out by name.
"""

from __future__ import annotations

import ipaddress
import struct
from functools import lru_cache
from typing import Final, NamedTuple

from card.lean import lean_dataclass
from host_tools.content.captures.fragments import Fragment
from host_tools.content.captures.link_layers import (
    ANY_IP,
    IPV4,
    IPV6,
    USUAL_PLACES,
    LeftOut,
    Payload,
    take_off_ethernet,
)

GTP_U_PORT: Final = 2152
"""UDP port of GTP-U (TS 29.281 clause 4.4.2.0)."""

_IP_IN_IP, _UDP, _IPV6_IN_IP, _GRE = 4, 17, 41, 47
_HOP_BY_HOP, _ROUTING, _FRAGMENT, _ESP, _AH, _OPTIONS, _MOBILITY = 0, 43, 44, 50, 51, 60, 135
_EIGHT_BYTE_UNITS: Final = frozenset({_HOP_BY_HOP, _ROUTING, _OPTIONS, _MOBILITY})
_ETHERNET_IN_GRE = 0x6558  # transparent Ethernet bridging
_MOST_TUNNELS = 4  # one inside the other
_UDP_HEADER = 8
_IPV4_HEADER, _IPV4_WITHOUT_OPTIONS = 20, 0x45
_IS_PIECE = 0x3FFF  # more fragments, or an offset
# First byte, length, place of a fragment, protocol, addresses and UDP ports together, length of the UDP datagram.
_IPV4_UDP: Final = struct.Struct("!BxHxxHxBxx12sHxx")
_read_ipv4_udp = _IPV4_UDP.unpack_from
_G_PDU = 255
_MALFORMED = "malformed"
_CUT_SHORT = "UDP datagram cut short when captured"


class Endpoint(NamedTuple):
    """An IP address as text and a UDP port. A tuple, as every packet asks tables for its destination."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@lean_dataclass(frozen=True, slots=True)
class Datagram:
    """One UDP datagram: seconds since 1970, from where, to where, payload."""

    timestamp: float
    source: Endpoint
    destination: Endpoint
    payload: bytes


class IsFragment(Exception):
    """What was found is a fragment, inside the `tunnels` that were opened."""

    def __init__(self, fragment: Fragment) -> None:
        super().__init__("IP fragment")
        self.fragment = fragment
        self.tunnels: tuple[str, ...] = ()


def find_datagram(timestamp: float, frame: bytes, carried: Payload) -> tuple[Datagram, tuple[str, ...]]:
    """Return the datagram in what a frame carries, and the tunnels that were opened. Raises `LeftOut`, `IsFragment`."""
    tunnels = carried.tunnels
    while True:
        try:
            source, destination, protocol, start, end = _ip(frame, carried)
        except IsFragment as found:
            found.tunnels = tunnels
            raise
        if protocol == _UDP:
            datagram = _datagram(timestamp, frame, start, end, source, destination)
            inner = _inside_gtp_u(frame, start + _UDP_HEADER, end) if _is_gtp_u(datagram) else None
            if inner is None:
                return datagram, tunnels
            carried, name = inner, "GTP-U"
        else:
            carried, name = _inside_ip(frame, protocol, start)
        tunnels = (*tunnels, name)
        if len(tunnels) > _MOST_TUNNELS:
            raise LeftOut("tunnels in tunnels")


def find_usual_datagram(timestamp: float, link_type: int, frame: bytes) -> Datagram | None:
    """Take apart in one go what nearly all frames are: whole, UDP in IPv4 without options or tunnels; None for others.

    Every doubt is left to `take_off_link_layer` and `find_datagram`, which have a word for it and find the same in
    these.
    """
    usual = USUAL_PLACES.get(link_type)
    if usual is None:
        return None
    start, mark = usual
    if start + _IPV4_UDP.size > len(frame) or (mark and frame[start - len(mark) : start] != mark):
        return None
    begin, size, place, protocol, flow, claimed = _read_ipv4_udp(frame, start)
    if begin != _IPV4_WITHOUT_OPTIONS or place & _IS_PIECE or protocol != _UDP:
        return None
    end = start + size
    if claimed != size - _IPV4_HEADER or claimed < _UDP_HEADER or end > len(frame):
        return None
    source, destination, is_gtp_u = _flow(flow)
    if is_gtp_u:
        return None
    return Datagram(timestamp, source, destination, frame[start + _IPV4_UDP.size : end])


def _ip(frame: bytes, carried: Payload) -> tuple[bytes, bytes, int, int, int]:
    """Return source, destination, protocol, and where in the frame the packet's payload begins and ends."""
    start, kind = carried.start, carried.ethertype
    if start >= len(frame):
        raise LeftOut(_MALFORMED)
    version = frame[start] >> 4
    if kind not in (ANY_IP, IPV4, IPV6) or (kind == ANY_IP and version not in (4, 6)):
        raise LeftOut("not IP")
    if kind == IPV4 or (kind == ANY_IP and version == 4):
        return _ipv4(frame, start)
    return _ipv6(frame, start)


def _ipv4(frame: bytes, start: int) -> tuple[bytes, bytes, int, int, int]:
    header = (frame[start] & 0x0F) * 4
    if frame[start] >> 4 != 4 or header < 20 or start + header > len(frame):
        raise LeftOut(_MALFORMED)
    # A length of 0 is what segmentation in the network card leaves in a capture of its own machine.
    size = _u16(frame, start + 2) or len(frame) - start
    if size < header:
        raise LeftOut(_MALFORMED)
    end = min(start + size, len(frame))
    place = _u16(frame, start + 6) & _IS_PIECE
    if place:
        if end < start + size:
            raise LeftOut(_CUT_SHORT)
        name = bytes((4, frame[start + 9])) + frame[start + 4 : start + 6] + frame[start + 12 : start + 20]
        head, data = frame[start : start + header], frame[start + header : end]
        raise IsFragment(Fragment(name, head, (place & 0x1FFF) * 8, not place & 0x2000, data))
    return frame[start + 12 : start + 16], frame[start + 16 : start + 20], frame[start + 9], start + header, end


def _ipv6(frame: bytes, start: int) -> tuple[bytes, bytes, int, int, int]:
    if frame[start] >> 4 != 6 or start + 40 > len(frame):
        raise LeftOut(_MALFORMED)
    at, protocol = start + 40, frame[start + 6]
    end = min(at + (_u16(frame, start + 4) or len(frame) - at), len(frame))
    while protocol in _EIGHT_BYTE_UNITS or protocol in (_FRAGMENT, _AH):
        if at + 8 > end:
            raise LeftOut(_MALFORMED)
        if protocol == _FRAGMENT:
            place = _u16(frame, at + 2)
            if place & 0xFFF9:  # anything but a packet that is whole (RFC 6946)
                raise IsFragment(_fragment_of_ipv6(frame, start, at, end, place))
            size = 8
        elif protocol == _AH:
            size = (frame[at + 1] + 2) * 4
        else:
            size = (frame[at + 1] + 1) * 8
        protocol, at = frame[at], at + size
    return frame[start + 8 : start + 24], frame[start + 24 : start + 40], protocol, at, end


def _fragment_of_ipv6(frame: bytes, start: int, at: int, end: int, place: int) -> Fragment:
    """Return the fragment whose header is at `at`. Extension headers before it are only for those on the way."""
    if end < start + 40 + _u16(frame, start + 4):
        raise LeftOut(_CUT_SHORT)
    name = bytes((6,)) + frame[at + 4 : at + 8] + frame[start + 8 : start + 40]
    head = frame[start : start + 6] + frame[at : at + 1] + frame[start + 7 : start + 40]
    return Fragment(name, head, place & 0xFFF8, not place & 1, frame[at + 8 : end])


def _datagram(timestamp: float, frame: bytes, start: int, end: int, source: bytes, destination: bytes) -> Datagram:
    if start + _UDP_HEADER > end:
        raise LeftOut(_MALFORMED)
    claimed = _u16(frame, start + 4)
    last = start + claimed if claimed else end
    if not start + _UDP_HEADER <= last <= end:
        raise LeftOut(_CUT_SHORT)
    return Datagram(
        timestamp,
        _endpoint(source, _u16(frame, start)),
        _endpoint(destination, _u16(frame, start + 2)),
        frame[start + _UDP_HEADER : last],
    )


def _inside_ip(frame: bytes, protocol: int, start: int) -> tuple[Payload, str]:
    """Return what a tunnel of IP's own carries, and its name. Raises `LeftOut`, by name where a tunnel stays shut."""
    match protocol:
        case n if n == _IP_IN_IP:
            return Payload(IPV4, start), "IP in IP"
        case n if n == _IPV6_IN_IP:
            return Payload(IPV6, start), "IP in IP"
        case n if n == _GRE:
            return _inside_gre(frame, start), "GRE"
        case n if n == _ESP:
            raise LeftOut("ESP, which is encrypted")
        case _:
            raise LeftOut("not UDP")


def _inside_gre(frame: bytes, start: int) -> Payload:
    flags, kind = _u16(frame, start), _u16(frame, start + 2)
    if flags & 0x0007 or flags & 0x4000:
        raise LeftOut("GRE of another version")
    start += 4 + sum(4 for flag in (0x8000, 0x2000, 0x1000) if flags & flag)  # checksum, key, sequence number
    return take_off_ethernet(frame, start) if kind == _ETHERNET_IN_GRE else Payload(kind, start)


def _is_gtp_u(datagram: Datagram) -> bool:
    """Tell whether a datagram is user data of GTP-U: its port, version 1, not GTP', message type G-PDU."""
    start = datagram.payload[:2]
    is_port = GTP_U_PORT in (datagram.destination.port, datagram.source.port)
    return is_port and len(start) == 2 and start[0] & 0xF0 == 0x30 and start[1] == _G_PDU


def _inside_gtp_u(frame: bytes, start: int, end: int) -> Payload | None:
    """Return the user's packet of a G-PDU, or None where it is no IP packet, so that it was no GTP-U, or none for us.

    TS 29.281 clauses 5.1 and 5.2.1: with any of the three flags, four bytes follow, the last of which names the first
    extension header; the first byte of such a header is its length in units of four bytes.
    """
    at = start + 8
    if frame[start] & 0x07:
        at += 4
        following = frame[at - 1] if at <= end else 0
        while following and frame[start] & 0x04:
            size = 4 * frame[at] if at < end else 0
            if not size or at + size > end:
                return None
            following, at = frame[at + size - 1], at + size
    is_ip = at < end and frame[at] >> 4 in (4, 6)
    return Payload(ANY_IP, at) if is_ip else None


@lru_cache(maxsize=1024)
def _endpoint(address: bytes, port: int) -> Endpoint:
    return Endpoint(str(ipaddress.ip_address(address)), port)


@lru_cache(maxsize=1024)
def _flow(addresses_and_ports: bytes) -> tuple[Endpoint, Endpoint, bool]:
    """Return source and destination of an IPv4 packet, and whether one of its ports is that of GTP-U."""
    source, destination, sender, receiver = struct.unpack("!4s4sHH", addresses_and_ports)
    return _endpoint(source, sender), _endpoint(destination, receiver), GTP_U_PORT in (sender, receiver)


def _u16(frame: bytes, at: int) -> int:
    if at + 2 > len(frame):
        raise LeftOut(_MALFORMED)
    return frame[at] << 8 | frame[at + 1]
