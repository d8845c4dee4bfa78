"""IP packets that come in pieces: in any order, twice, with one missing, overlapping, and without end."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tools.content.captures.fragments import MOST_PACKETS, Fragment, Reassembler
from host_tools.content.captures.pcap import CaptureReport, Datagram
from tests.unit.host_tools.content.captures.test_link_layers import g_pdu, udp_around
from tests.unit.host_tools.content.captures.test_pcap import V4, V6, classic, ip_packet, read

LARGE_4, LARGE_6 = (replace(one, payload=bytes(number % 251 for number in range(4000))) for one in (V4, V6))
LONELY = "IP fragment without the others"


def pieces_4(packet: bytes, cuts: Sequence[int], number: int = 7) -> list[bytes]:
    """Cut an IPv4 packet behind these bytes of its payload, which are multiples of 8."""
    header, data = packet[:20], packet[20:]
    edges = [0, *cuts, len(data)]
    return [
        header[:2] + struct.pack(">HHH", 20 + end - start, number, (0 if end == len(data) else 0x2000) | start // 8)
        + header[8:] + data[start:end]
        for start, end in pairwise(edges)
    ]  # fmt: skip


def pieces_6(packet: bytes, cuts: Sequence[int], number: int = 7) -> list[bytes]:
    header, data = packet[:40], packet[40:]
    edges = [0, *cuts, len(data)]
    return [
        header[:4] + struct.pack(">HB", 8 + end - start, 44) + header[7:]
        + struct.pack(">BBHI", header[6], 0, start | (end != len(data)), number) + data[start:end]
        for start, end in pairwise(edges)
    ]  # fmt: skip


def played(frames: Sequence[bytes], expected: Datagram) -> tuple[list[Datagram], CaptureReport]:
    datagrams, report = read(classic(101, *frames))
    return [replace(one, timestamp=expected.timestamp) for one in datagrams], report


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_a_large_datagram_in_three_pieces(order: tuple[int, ...]) -> None:
    for cut, large in ((pieces_4, LARGE_4), (pieces_6, LARGE_6)):
        pieces = cut(ip_packet(large), (1480, 2960))
        datagrams, report = played([pieces[number] for number in order], large)
        assert datagrams == [large]
        assert report == CaptureReport(packets=3, udp=1, joined=2)


def test_a_piece_that_is_missing() -> None:
    pieces = pieces_4(ip_packet(LARGE_4), (1480, 2960))
    for missing in range(3):
        datagrams, report = played([*pieces[:missing], *pieces[missing + 1 :]], LARGE_4)
        assert (datagrams, report) == ([], CaptureReport(packets=2, skipped_reasons=report.skipped_reasons))
        assert report.skipped_reasons == {LONELY: 2}


def test_a_piece_that_comes_twice() -> None:
    first, second, third = pieces_4(ip_packet(LARGE_4), (1480, 2960))
    datagrams, report = played([first, first, second, third, third], LARGE_4)
    assert datagrams == [LARGE_4]
    assert (report.packets, report.joined, report.skipped_reasons) == (5, 2, {LONELY: 2})


def test_pieces_that_overlap_become_nothing() -> None:
    first, second, _ = pieces_4(ip_packet(LARGE_4), (1480, 2960))
    _, _, third = pieces_4(ip_packet(LARGE_4), (1480, 2952))
    datagrams, report = played([first, second, third], LARGE_4)
    assert (datagrams, report.skipped_reasons) == ([], {LONELY: 3})


def test_pieces_of_several_packets_in_a_row_are_kept_apart() -> None:
    packets = [replace(LARGE_4, payload=bytes([number]) * 3000) for number in range(10)]
    cut = [pieces_4(ip_packet(packet), (1480,), number) for number, packet in enumerate(packets)]
    datagrams, report = played([*(one[0] for one in cut), *(one[1] for one in cut)], LARGE_4)
    assert (datagrams, report.joined) == (packets, 10)


def test_pieces_inside_a_tunnel_and_a_tunnel_in_pieces() -> None:
    inner = [udp_around(g_pdu(piece)) for piece in pieces_4(ip_packet(LARGE_4), (1480, 2960))]
    outer = pieces_4(udp_around(g_pdu(ip_packet(LARGE_4))), (1480, 2960))
    for frames in (inner, outer):
        datagrams, report = played(frames, LARGE_4)
        assert (datagrams, report.tunnels, report.joined) == ([LARGE_4], {"GTP-U": 1}, 2)


def test_only_so_many_packets_wait_for_their_pieces() -> None:
    cut = [pieces_4(ip_packet(LARGE_4), (1480,), number) for number in range(MOST_PACKETS + 1)]
    datagrams, report = played([*(one[0] for one in cut), *(one[1] for one in reversed(cut))], LARGE_4)
    assert len(datagrams) == MOST_PACKETS
    assert (report.packets, report.joined) == (2 * MOST_PACKETS + 2, MOST_PACKETS)
    assert report.skipped_reasons == {LONELY: 2}


def test_pieces_behind_the_end_of_any_packet_take_no_memory() -> None:
    reassembler = Reassembler()
    for number in range(1000):
        last = Fragment(number.to_bytes(2, "big"), bytes((0x45,)) + bytes(19), 65_528, True, bytes(8))
        assert reassembler.put(last) is None
    assert reassembler == Reassembler(given_up=1000)


def test_a_piece_that_was_cut_when_captured_is_named() -> None:
    first, second = pieces_4(ip_packet(LARGE_4), (1480,))
    _, report = played([first, second[:-1]], LARGE_4)
    assert report.skipped_reasons == {"UDP datagram cut short when captured": 1, LONELY: 1}


@given(st.sets(st.integers(1, 500), max_size=12), st.randoms(), st.booleans())
def test_any_pieces_in_any_order(cuts: set[int], chance: object, is_4: bool) -> None:
    large = LARGE_4 if is_4 else LARGE_6
    pieces = (pieces_4 if is_4 else pieces_6)(ip_packet(large), [8 * cut for cut in sorted(cuts)])
    chance.shuffle(pieces)  # type: ignore[attr-defined]  # a random.Random
    datagrams, report = played(pieces, large)
    assert datagrams == [large]
    assert (report.packets, report.joined) == (len(pieces), len(pieces) - 1)
