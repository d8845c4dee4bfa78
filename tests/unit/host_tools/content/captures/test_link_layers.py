"""What is around an IP packet when it is captured: tags, sessions, tunnels. Each frame is made by hand from its RFC."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from host_tools.content.captures.pcap import CaptureReport, Datagram
from tests.unit.host_tools.content.captures.test_pcap import ETHERNET, V4, V6, classic, ip_packet, read

FOUR, SIX = ip_packet(V4), ip_packet(V6)
TAG = b"\x81\x00\x60\x05"  # IEEE 802.1Q: TPID, then priority and VLAN
SERVICE_TAG, OLD_TAG = b"\x88\xa8\x00\x64", b"\x91\x00\x00\x64"
COOKED, COOKED_2 = struct.pack(">HHH8s", 0, 1, 6, bytes(8)), struct.pack(">HIHBB8s", 0, 2, 1, 0, 6, bytes(8))


def cooked_2(tags: bytes, ethertype: bytes) -> bytes:
    """The protocol stands at the front of this header, and what follows a tag behind it."""
    chain = tags + ethertype
    return chain[:2] + COOKED_2 + chain[2:]


TAGGED = {
    "none": b"",
    "one": TAG,
    "two": SERVICE_TAG + TAG,
    "three": OLD_TAG + TAG + TAG,
}


@pytest.mark.parametrize("tags", TAGGED.values(), ids=TAGGED)
@pytest.mark.parametrize(("ethertype", "packet", "expected"), [(b"\x08\0", FOUR, V4), (b"\x86\xdd", SIX, V6)])
def test_tags_on_every_link_layer_that_can_have_them(
    tags: bytes, ethertype: bytes, packet: bytes, expected: Datagram
) -> None:
    frames = {
        1: ETHERNET + tags + ethertype + packet,
        113: COOKED + tags + ethertype + packet,
        276: cooked_2(tags, ethertype) + packet,
    }
    for link_type, frame in frames.items():
        datagrams, report = read(classic(link_type, frame))
        assert (len(datagrams), report) == (1, CaptureReport(packets=1, udp=1)), link_type
        assert replace(datagrams[0], timestamp=expected.timestamp) == expected


def session(packet: bytes, protocol: bytes = b"\x00\x21", code: int = 0) -> bytes:
    ppp = protocol + packet
    return b"\x88\x64" + struct.pack(">BBHH", 0x11, code, 7, len(ppp)) + ppp


def udp_around(payload: bytes, port: int = 2152) -> bytes:
    return ip_packet(replace(V4, payload=payload, destination=V4.destination._replace(port=port)))


def g_pdu(packet: bytes, flags: int = 0x30, optional: bytes = b"", kind: int = 255) -> bytes:
    return struct.pack(">BBHI", flags, kind, len(optional) + len(packet), 42) + optional + packet


def around(packet: bytes, protocol: int) -> bytes:
    """An IPv4 header around a packet of another protocol than UDP."""
    return b"\x45\0" + struct.pack(">H", 20 + len(packet)) + bytes(4) + bytes((64, protocol)) + bytes(10) + packet


def extended(packet: bytes, kind: int, header: bytes) -> bytes:
    """An extension header between the IPv6 header and UDP."""
    made = bytearray(packet)
    made[6] = kind
    made[4:6] = struct.pack(">H", len(packet) - 40 + len(header))
    return bytes(made[:40]) + b"\x11" + header[1:] + packet[40:]


OPENED = {
    "PPPoE": (1, ETHERNET + session(FOUR), V4, {"PPPoE": 1}),
    "PPPoE inside tags": (1, ETHERNET + SERVICE_TAG + TAG + session(FOUR), V4, {"PPPoE": 1}),
    "PPPoE with IPv6": (113, COOKED + session(SIX, b"\x00\x57"), V6, {"PPPoE": 1}),
    "PPPoE with a short protocol": (1, ETHERNET + session(FOUR, b"\x21"), V4, {"PPPoE": 1}),
    "PPPoE as link type": (51, session(FOUR)[2:], V4, {"PPPoE": 1}),
    "PPP": (9, b"\x00\x21" + FOUR, V4, {}),
    "PPP in HDLC": (50, b"\xff\x03\x00\x21" + FOUR, V4, {}),
    "SNAP": (1, ETHERNET + struct.pack(">H", 8 + len(FOUR)) + b"\xaa\xaa\x03\0\0\0\x08\0" + FOUR, V4, {}),
    "MPLS": (1, ETHERNET + b"\x88\x47\0\0\x10\x40\0\0\x21\x40" + FOUR, V4, {"MPLS": 1}),
    "GTP-U": (101, udp_around(g_pdu(FOUR)), V4, {"GTP-U": 1}),
    "GTP-U with IPv6": (101, udp_around(g_pdu(SIX)), V6, {"GTP-U": 1}),
    "GTP-U, sequence number": (101, udp_around(g_pdu(FOUR, 0x32, b"\0\1\0\0")), V4, {"GTP-U": 1}),
    "GTP-U, extension header": (
        101, udp_around(g_pdu(FOUR, 0x34, b"\0\0\0\x85" + b"\x01\x10\x05\x00")), V4, {"GTP-U": 1},
    ),
    "GTP-U, two extension headers": (
        101, udp_around(g_pdu(FOUR, 0x37, b"\0\1\0\xc0" + b"\x01\0\0\x85" + b"\x02" + bytes(7))), V4, {"GTP-U": 1},
    ),
    "IP in IP": (101, around(FOUR, 4), V4, {"IP in IP": 1}),
    "IPv6 in IP": (228, around(SIX, 41), V6, {"IP in IP": 1}),
    "GRE": (101, around(b"\0\0\x08\0" + FOUR, 47), V4, {"GRE": 1}),
    "GRE with key and number": (101, around(b"\x30\0\x86\xdd" + bytes(8) + SIX, 47), V6, {"GRE": 1}),
    "Ethernet in GRE": (101, around(b"\0\0\x65\x58" + ETHERNET + TAG + b"\x08\0" + FOUR, 47), V4, {"GRE": 1}),
    "GTP-U in PPPoE": (1, ETHERNET + session(udp_around(g_pdu(FOUR))), V4, {"PPPoE": 1, "GTP-U": 1}),
    "IPv6 with hop-by-hop options": (229, extended(SIX, 0, bytes(8)), V6, {}),
    "IPv6 with destination options": (229, extended(SIX, 60, b"\0\1" + bytes(14)), V6, {}),
    "IPv6, one fragment that is all": (229, extended(SIX, 44, bytes(8)), V6, {}),
}  # fmt: skip


@pytest.mark.parametrize("name", OPENED)
def test_what_is_opened_on_the_way(name: str) -> None:
    link_type, frame, expected, tunnels = OPENED[name]
    datagrams, report = read(classic(link_type, frame))
    assert [replace(item, timestamp=expected.timestamp) for item in datagrams] == [expected]
    assert (report.tunnels, report.skipped_reasons) == (tunnels, {})


SHUT = {
    "PPPoE discovery": (1, ETHERNET + b"\x88\x63" + bytes(20), "not IP"),
    "PPPoE, no data": (1, ETHERNET + session(FOUR, code=0xA7), "a PPPoE frame without data"),
    "PPP control": (1, ETHERNET + session(b"\x01\x01", b"\xc0\x21"), "PPP that carries no IP"),
    "LLC": (1, ETHERNET + b"\x00\x20" + b"\x42\x42\x03" + bytes(29), "not IP"),
    "a tag and nothing": (1, ETHERNET + TAG, "malformed"),
    "ARP": (113, COOKED + TAG + b"\x08\x06" + bytes(28), "not IP"),
    "ESP": (101, around(bytes(40), 50), "ESP, which is encrypted"),
    "TCP": (101, around(bytes(40), 6), "not UDP"),
    "GRE, version 1": (101, around(b"\0\1\x88\x0b" + bytes(20), 47), "GRE of another version"),
    "the first IPv6 fragment": (229, extended(SIX, 44, b"\0\0\0\1" + bytes(4)), "IP fragment without the others"),
    "a later IPv6 fragment": (229, extended(SIX, 44, b"\0\0\0\x10" + bytes(4)), "IP fragment without the others"),
    "many tunnels": (101, around(around(around(around(around(FOUR, 4), 4), 4), 4), 4), "tunnels in tunnels"),
}  # fmt: skip


@pytest.mark.parametrize("name", SHUT)
def test_what_is_left_out_and_why(name: str) -> None:
    link_type, frame, reason = SHUT[name]
    datagrams, report = read(classic(link_type, frame))
    assert (datagrams, report.skipped_reasons) == ([], {reason: 1})


FRAMES_OF_EVERY_KIND = (
    *((link_type, frame) for link_type, frame, *_ in OPENED.values()),
    *((link_type, frame) for link_type, frame, _ in SHUT.values()),
)


@pytest.mark.parametrize(
    "payload",
    [b"", b"\x30", g_pdu(b"", kind=1), g_pdu(b"\x99\x99"), g_pdu(FOUR, 0x34, b"\0\0\0\x85\0"), b"\x80\xff" + bytes(40)],
)
def test_what_is_no_user_data_on_the_port_of_gtp_u_is_a_datagram_like_any_other(payload: bytes) -> None:
    datagrams, report = read(classic(101, udp_around(payload)))
    assert ([item.payload for item in datagrams], report.tunnels) == ([payload], {})
