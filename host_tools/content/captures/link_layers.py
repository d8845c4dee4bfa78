"""What a captured frame carries: the link layer comes off, whatever tags and PPPoE sessions stand in between.

One table, LINKTYPE number to what takes that layer off (IETF draft-ietf-opsawg-pcaplinktype). What is found is an
EtherType and a place in the frame; `host_tools.content.captures.datagrams` reads on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from card.lean import lean_dataclass

RAW_IP: Final = 101
"""LINKTYPE_RAW, the number in files; DLT_RAW differs from system to system."""

IPV4: Final = 0x0800
IPV6: Final = 0x86DD
ANY_IP: Final = 0
"""Instead of an EtherType: IP, whose version stands in its own first byte."""

_TAGS: Final = frozenset({0x8100, 0x88A8, 0x9100, 0x9200, 0x9300})  # IEEE 802.1Q and 802.1ad, and older vendor values
_PPPOE_SESSION: Final = 0x8864
_MPLS: Final = frozenset({0x8847, 0x8848})
_LLC: Final = 0x0004  # "802.2 frames" in the protocol field of Linux cooked captures
_SMALLEST_ETHERTYPE: Final = 0x0600  # below it, the field of an Ethernet frame is a length (IEEE 802.3)
_PPP: Final = MappingProxyType({0x0021: IPV4, 0x0057: IPV6})
_SNAP: Final = b"\xaa\xaa\x03\0\0\0"
_SESSION_HEADER = 6


class LeftOut(Exception):
    """A frame or packet holds nothing for us; the text is the reason under which it is counted."""


@lean_dataclass(frozen=True, slots=True)
class Payload:
    """What a frame carries from byte `start` on: an EtherType, or `ANY_IP`. `tunnels` names what was opened."""

    ethertype: int
    start: int
    tunnels: tuple[str, ...] = ()


def take_off_link_layer(link_type: int, frame: bytes) -> Payload:
    """Return what a frame of this LINKTYPE carries. Raises `LeftOut`."""
    layer = _LINK_LAYERS.get(link_type)
    if layer is None:
        raise LeftOut(f"link type {link_type} is not supported")
    return layer if isinstance(layer, Payload) else layer(frame)


def take_off_ethernet(frame: bytes, start: int = 0) -> Payload:
    """Return what an Ethernet frame that begins at byte `start` carries. Raises `LeftOut`."""
    kind = _u16(frame, start + 12)
    if kind < _SMALLEST_ETHERTYPE:
        return _llc(frame, start + 14)
    return _inside(kind, frame, start + 14)


def _inside(kind: int, frame: bytes, start: int) -> Payload:
    """Walk over tags of any number, then into an MPLS stack or a PPPoE session."""
    while kind in _TAGS:
        kind, start = _u16(frame, start + 2), start + 4
    if kind == _PPPOE_SESSION:
        return _pppoe(frame, start)
    if kind in _MPLS:
        return _mpls(frame, start)
    if kind == _LLC:
        return _llc(frame, start)
    return Payload(kind, start)


def _llc(frame: bytes, start: int) -> Payload:
    if frame[start : start + len(_SNAP)] != _SNAP:
        raise LeftOut("not IP")
    start += len(_SNAP)
    return _inside(_u16(frame, start), frame, start + 2)


def _mpls(frame: bytes, start: int) -> Payload:
    """Read over the labels; the last one is marked (RFC 3032 clause 2.1), and what follows names itself."""
    while not _u16(frame, start + 2) & 0x0100:
        start += 4
    return Payload(ANY_IP, start + 4, ("MPLS",))


def _pppoe(frame: bytes, start: int) -> Payload:
    """Open a session frame: version and type 1, code 0 (RFC 2516 clause 4), then PPP."""
    if _u16(frame, start) != 0x1100:
        raise LeftOut("a PPPoE frame without data")
    return _ppp(frame, start + _SESSION_HEADER, ("PPPoE",))


def _ppp(frame: bytes, start: int, tunnels: tuple[str, ...] = ()) -> Payload:
    """Read the protocol of a PPP frame (RFC 1661 clause 2): two bytes, or one where it is odd."""
    size = 1 if frame[start : start + 1] and frame[start] & 1 else 2
    protocol = frame[start] if size == 1 else _u16(frame, start)
    if protocol not in _PPP:
        raise LeftOut("PPP that carries no IP")
    return Payload(_PPP[protocol], start + size, tunnels)


def _serial_ppp(frame: bytes) -> Payload:
    """PPP with or without its HDLC address and control bytes (RFC 1662 clause 3.1)."""
    return _ppp(frame, 2 if frame[:2] == b"\xff\x03" else 0)


def _u16(frame: bytes, at: int) -> int:
    if at + 2 > len(frame):
        raise LeftOut("malformed")
    return frame[at] << 8 | frame[at + 1]


_LINK_LAYERS: MappingProxyType[int, Payload | Callable[[bytes], Payload]] = MappingProxyType(
    {
        0: Payload(ANY_IP, 4),  # BSD loopback
        1: take_off_ethernet,
        9: _serial_ppp,
        12: Payload(ANY_IP, 0),
        14: Payload(ANY_IP, 0),
        50: _serial_ppp,
        51: lambda frame: _pppoe(frame, 0),
        RAW_IP: Payload(ANY_IP, 0),
        108: Payload(ANY_IP, 4),  # OpenBSD loopback
        113: lambda frame: _inside(_u16(frame, 14), frame, 16),  # Linux cooked
        228: Payload(IPV4, 0),
        229: Payload(IPV6, 0),
        276: lambda frame: _inside(_u16(frame, 0), frame, 20),  # Linux cooked, version 2
    }
)
"""LINKTYPE number to what takes that layer off, or to what stands in every such frame."""

_ETHERTYPE: Final = IPV4.to_bytes(2, "big")
USUAL_PLACES: Final[Mapping[int, tuple[int, bytes]]] = MappingProxyType(
    {
        number: (layer.start, b"")
        for number, layer in _LINK_LAYERS.items()
        if isinstance(layer, Payload) and layer.ethertype in (ANY_IP, IPV4)
    }
    | {1: (14, _ETHERTYPE), 113: (16, _ETHERTYPE)}
)
"""LINKTYPE number to where an IPv4 packet begins with nothing but that layer before it, and the bytes right there then.

Whoever finds other bytes there, or no such packet, has `take_off_link_layer` look closer.
"""
