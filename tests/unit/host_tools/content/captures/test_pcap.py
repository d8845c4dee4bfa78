"""Captures: what was written is read back, other formats are read, and broken files end with a report."""

from __future__ import annotations

import io
import os
import struct
from collections import Counter
from dataclasses import replace
from pathlib import Path

import dpkt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tools.content.captures import pcap, records
from host_tools.content.captures.datagrams import find_datagram, find_usual_datagram
from host_tools.content.captures.link_layers import ANY_IP, RAW_IP, Payload
from host_tools.content.captures.pcap import (
    CaptureReader,
    CaptureReport,
    CaptureWriter,
    Datagram,
    Endpoint,
    open_capture,
)
from host_tools.content.captures.records import BrokenRecord, FrameFile
from host_tools.content.errors import CaptureError

HEADER = 24
V4 = Datagram(1_800_000_000.25, Endpoint("10.0.0.1", 4000), Endpoint("239.1.1.1", 2269), b"four")
V6 = Datagram(1_800_000_001.5, Endpoint("fe80::1", 4001), Endpoint("ff15::1", 2269), b"sixes")


def capture(*datagrams: Datagram) -> bytes:
    file = io.BytesIO()
    writer = CaptureWriter(file)
    for datagram in datagrams:
        writer.write(datagram)
    return file.getvalue()


def read(data: bytes) -> tuple[list[Datagram], CaptureReport]:
    reader = CaptureReader(io.BytesIO(data))
    return list(reader), reader.report


def test_the_share_that_was_read_grows(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(capture(*[V4] * 4))
    with open_capture(path) as reader:
        shares = [reader.share for _ in reader]
        assert reader.share == 1
    assert shares == sorted(shares)
    assert 0 < shares[0] < 0.5
    assert CaptureReader(io.BytesIO(capture(V4))).share == 0


def test_a_report_for_machines() -> None:
    _, report = read(capture(V4)[:-1])
    assert report.as_dict() == {
        "packets": 0, "udp": 0, "joined": 0, "skipped_reasons": {}, "tunnels": {}, "other_blocks": {},
        "truncated_at": HEADER, "problem": "cut off inside a packet",
    }  # fmt: skip
    assert not report.is_whole


def ip_packet(datagram: Datagram) -> bytes:
    return capture(datagram)[HEADER + 16 :]


def classic(link_type: int, *frames: bytes, order: str = "<", magic: int = 0xA1B2C3D4, fraction: int = 0) -> bytes:
    head = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link_type)
    return head + b"".join(
        struct.pack(order + "IIII", 1_800_000_000, fraction, len(frame), len(frame)) + frame for frame in frames
    )


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + size + body + size


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link_type: int, options: bytes = b"", order: str = "<") -> bytes:
    return block(1, struct.pack(order + "HHI", link_type, 0, 65535) + options, order)


def enhanced(number: int, ticks: int, frame: bytes, order: str = "<") -> bytes:
    head = struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame))
    return block(6, head + frame, order)


ETHERNET = b"\x01\x00\x5e\x01\x01\x01" + bytes(6)
FRAMES = {
    "loopback": (0, b"\2\0\0\0" + ip_packet(V4)),
    "Ethernet": (1, ETHERNET + b"\x08\x00" + ip_packet(V4)),
    "Ethernet with padding": (1, ETHERNET + b"\x08\x00" + ip_packet(V4) + bytes(18)),
    "Ethernet with VLAN tag": (1, ETHERNET + b"\x81\x00\x00\x05\x08\x00" + ip_packet(V4)),
    "Ethernet, IPv6": (1, ETHERNET + b"\x86\xdd" + ip_packet(V6)),
    "raw IP": (101, ip_packet(V4)),
    "raw IPv6": (101, ip_packet(V6)),
    "Linux cooked": (113, struct.pack(">HHH8sH", 0, 1, 6, bytes(8), 0x0800) + ip_packet(V4)),
    "Linux cooked v2": (276, struct.pack(">HHIHBB8s", 0x86DD, 0, 2, 1, 0, 6, bytes(8)) + ip_packet(V6)),
}


def test_what_was_written_is_read_back() -> None:
    assert read(capture(V4, V6)) == ([V4, V6], CaptureReport(packets=2, udp=2))


def test_checksums_are_right() -> None:
    """Over a part that carries its right checksum, the Internet checksum is zero."""
    packet = ip_packet(V4)
    assert dpkt.in_cksum(packet[:20]) == 0
    pseudo_header = packet[12:20] + b"\0\x11" + packet[24:26]
    assert dpkt.in_cksum(pseudo_header + packet[20:]) == 0


@pytest.mark.parametrize("name", FRAMES)
def test_link_types(name: str) -> None:
    link_type, frame = FRAMES[name]
    datagrams, report = read(classic(link_type, frame))
    expected = V6 if "6" in name or "v2" in name else V4
    assert [replace(item, timestamp=expected.timestamp) for item in datagrams] == [expected]
    assert report == CaptureReport(packets=1, udp=1)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "fraction"), [(0xA1B2C3D4, 250_000), (0xA1B23C4D, 250_000_000)])
def test_byte_orders_and_resolutions(order: str, magic: int, fraction: int) -> None:
    data = classic(101, ip_packet(V4), order=order, magic=magic, fraction=fraction)
    assert read(data)[0] == [V4]


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_keeps_interfaces_and_sections_apart(order: str) -> None:
    nanoseconds = struct.pack(order + "HHB3xHH", 9, 1, 9, 0, 0)
    data = section(order)
    data += interface(101, order=order) + interface(1, nanoseconds, order)
    data += enhanced(0, 1_800_000_000_250_000, ip_packet(V4), order)
    data += block(5, bytes(12), order)
    data += enhanced(1, 1_800_000_001_500_000_000, ETHERNET + b"\x86\xdd" + ip_packet(V6), order)
    data += section("<") + interface(101) + enhanced(0, 1_800_000_000_250_000, ip_packet(V4))
    report = CaptureReport(packets=3, udp=3, other_blocks=Counter({"interface statistics": 1}))
    assert read(data) == ([V4, V6, V4], report)


def simple(frame: bytes, order: str = "<") -> bytes:
    return block(3, struct.pack(order + "I", len(frame)) + frame, order)


@pytest.mark.parametrize("order", ["<", ">"])
def test_simple_packets_come_in_the_order_of_the_file_with_the_time_of_the_packet_before(order: str) -> None:
    data = section(order) + interface(101, order=order) + simple(ip_packet(V6), order)
    data += enhanced(0, 1_800_000_000_250_000, ip_packet(V4), order) + simple(ip_packet(V6), order)
    data += section() + interface(101) + simple(ip_packet(V6))
    times = [0.0, V4.timestamp, V4.timestamp, V4.timestamp]
    expected = [replace(item, timestamp=at) for item, at in zip([V6, V4, V6, V6], times, strict=True)]
    assert read(data) == (expected, CaptureReport(packets=4, udp=4))


def test_a_simple_packet_is_no_longer_than_its_interface_captures() -> None:
    frame = ip_packet(V4)
    short = block(1, struct.pack("<HHI", 101, 0, len(frame) - 2))
    _, report = read(section() + short + block(3, struct.pack("<I", len(frame)) + frame[:-2]))
    assert report.skipped_reasons == {"UDP datagram cut short when captured": 1}


def test_every_kind_of_block_is_counted() -> None:
    kinds = [4, 5, 9, 10, 0x0BAD, 0x40000BAD, 0x7777, 0x7778]
    data = section() + interface(101) + b"".join(block(kind, bytes(4)) for kind in kinds)
    _, report = read(data + enhanced(0, 0, ip_packet(V4)))
    assert report.other_blocks == {
        "name resolution": 1, "interface statistics": 1, "systemd journal": 1, "decryption secrets": 1, "custom": 2,
        "of unknown kind": 2,
    }  # fmt: skip
    assert (report.packets, report.udp, report.is_whole) == (1, 1, True)


def test_only_so_many_reasons_are_told_apart() -> None:
    data = section()
    for first in range(1000, 3000, 500):
        data += section() + b"".join(interface(first + number) for number in range(500))
        data += b"".join(enhanced(number, 0, b"x") for number in range(500))
    _, report = read(data)
    assert (report.packets, report.skipped_reasons.total(), len(report.skipped_reasons)) == (2000, 2000, 65)


def test_pcapng_as_dpkt_writes_it() -> None:
    file = io.BytesIO()
    dpkt.pcapng.Writer(file, linktype=101).writepkt(ip_packet(V4), V4.timestamp)
    assert read(file.getvalue())[0] == [V4]


def test_what_is_no_udp_is_counted_with_its_reason() -> None:
    tcp = bytearray(ip_packet(V4))
    tcp[9] = 6
    fragment = bytearray(ip_packet(V4))
    fragment[6] = 0x20
    data = classic(101, ip_packet(V4), bytes(tcp), bytes(fragment), b"\x00junk", b"", ip_packet(V4)[:-2])
    datagrams, report = read(data)
    assert len(datagrams) == 1
    assert (report.packets, report.udp) == (6, 1)
    assert report.skipped_reasons == {
        "not UDP": 1,
        "IP fragment without the others": 1,
        "not IP": 1,
        "malformed": 1,
        "UDP datagram cut short when captured": 1,
    }
    assert "1 skipped (IP fragment without the others)" in str(report)


def test_an_unknown_link_type_is_named() -> None:
    _, report = read(classic(189, b"usb"))
    assert report.skipped_reasons == {"link type 189 is not supported": 1}


@pytest.mark.parametrize("cut", range(1, 16 + len(ip_packet(V6))))
def test_a_file_cut_inside_a_packet_gives_what_was_before(cut: int) -> None:
    whole = capture(V4, V6)
    datagrams, report = read(whole[:-cut])
    assert datagrams == [V4]
    assert report.truncated_at == len(capture(V4))
    assert "cut off" in str(report)


def test_a_length_that_lies_ends_the_reading() -> None:
    lie = struct.pack("<IIII", 0, 0, 0xFFFF_FFFF, 0xFFFF_FFFF)
    whole = capture(V4)
    datagrams, report = read(whole + lie + bytes(100))
    assert datagrams == [V4]
    assert report.truncated_at == len(whole)
    assert report.problem == "a packet that claims 4294967295 bytes"


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (struct.pack("<II", 6, 11), "a block that claims 11 bytes"),
        (struct.pack("<II", 6, 1 << 25), "a block that claims 33554432 bytes"),
        (struct.pack("<II", 6, 0x8000_0000), "a block that claims 2147483648 bytes"),
        (enhanced(0, 253_402_300_800 * 1_000_000, b""), "a packet of a time before 1970 or beyond the year 9999"),
        (block(3, struct.pack("<I", 99)), "a packet block that contradicts itself"),
        (block(3, b""), "a packet block that contradicts itself"),
        (struct.pack("<II", 6, 64), "cut off inside a packet"),
        (b"\6\0\0", "cut off inside a packet"),
        (block(6, bytes(16)), "a packet block that contradicts itself"),
        (enhanced(7, 0, b""), "a packet block that contradicts itself"),
        (block(1, b""), "an interface description that is too short"),
        (block(0x0A0D0D0A, bytes(16)), "a section without a byte order mark"),
    ],
)
def test_a_broken_pcapng_block_ends_the_reading(broken: bytes, problem: str) -> None:
    whole = section() + interface(101) + enhanced(0, 1_800_000_000_250_000, ip_packet(V4))
    datagrams, report = read(whole + broken)
    assert datagrams == [V4]
    assert (report.truncated_at, report.problem) == (len(whole), problem)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "it is empty"),
        (b"RIFF1234", "52 49 46 46"),
        (b"\xa1\xb2", "a1 b2"),
        (capture()[:20], "ends inside its pcap file header"),
    ],
)
def test_a_foreign_file_is_refused(data: bytes, complaint: str) -> None:
    with pytest.raises(CaptureError, match=complaint):
        CaptureReader(io.BytesIO(data), "file.bin")


def test_a_capture_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(capture(V4))
    with open_capture(path) as reader:
        assert list(reader) == [V4]


@pytest.mark.parametrize(
    "bad",
    [
        replace(V4, destination=V6.destination),
        replace(V4, source=Endpoint("nowhere", 1)),
        replace(V4, source=Endpoint("10.0.0.1", 70_000)),
        replace(V4, payload=bytes(70_000)),
        replace(V4, timestamp=float(1 << 32)),
        replace(V4, timestamp=-1.0),
    ],
)
def test_a_datagram_that_cannot_exist_is_not_written(bad: Datagram) -> None:
    with pytest.raises(CaptureError, match="cannot be written"):
        capture(bad)


ports = st.integers(0, 65535)
addresses = st.ip_addresses(v=4).map(str)
datagrams_v4 = st.builds(
    Datagram,
    st.integers(0, 2**31).map(lambda number: number / 4),
    st.builds(Endpoint, addresses, ports),
    st.builds(Endpoint, addresses, ports),
    st.binary(max_size=100),
)


@given(st.lists(datagrams_v4, max_size=5))
def test_round_trip(datagrams: list[Datagram]) -> None:
    assert read(capture(*datagrams))[0] == datagrams


@given(st.sampled_from([*FRAMES.values()]), st.data())
def test_hostile_frames_end_in_a_datagram_or_a_reason(named: tuple[int, bytes], data: st.DataObject) -> None:
    link_type, frame = named
    hostile = bytearray(frame)
    changes = st.lists(st.tuples(st.integers(0, len(frame) - 1), st.integers(0, 255)), max_size=6)
    for at, value in data.draw(changes):
        hostile[at] = value
    cut = data.draw(st.integers(0, len(hostile)))
    datagrams, report = read(classic(link_type, bytes(hostile[:cut])))
    assert report.packets == 1
    assert len(datagrams) + report.skipped_reasons.total() == 1


@given(st.lists(st.tuples(st.integers(0, 31), st.integers(0, 255)), max_size=3), st.integers(0, 40))
def test_the_short_way_finds_what_the_long_way_finds(changes: list[tuple[int, int]], cut: int) -> None:
    frame = bytearray(ip_packet(V4) + bytes(6))
    for at, value in changes:
        frame[at] = value
    packet, carried = bytes(frame[:cut]), Payload(ANY_IP, 0)
    found = find_usual_datagram(1.0, RAW_IP, packet)
    if found is not None:
        assert find_datagram(1.0, packet, carried) == (found, ())


def test_a_usual_frame_goes_the_short_way() -> None:
    assert find_usual_datagram(V4.timestamp, RAW_IP, ip_packet(V4)) == V4
    assert find_usual_datagram(V6.timestamp, RAW_IP, ip_packet(V6)) is None


def naive_frames(data: bytes) -> tuple[list[bytes], int | None]:
    """Return the whole frames of a classic file, and where it breaks off, as who reads frame by frame finds them."""
    frames, at = list[bytes](), HEADER
    while at < len(data):
        size = int.from_bytes(data[at + 8 : at + 12], "little")
        if at + 16 > len(data) or size > 262_144 or at + 16 + size > len(data):
            return frames, at
        frames.append(data[at + 16 : at + 16 + size])
        at += 16 + size
    return frames, None


@given(
    st.lists(st.binary(max_size=90), max_size=8),
    st.integers(1, 64),
    st.integers(0, 400),
    st.none() | st.tuples(st.integers(0, 400), st.integers(0, 255)),
)
def test_blocks_of_any_size_hold_the_same_frames(
    frames: list[bytes], block_size: int, left_out: int, change: tuple[int, int] | None
) -> None:
    data = bytearray(classic(147, *frames))
    if change is not None and HEADER + change[0] < len(data):
        data[HEADER + change[0]] = change[1]
    whole = bytes(data[: max(len(data) - left_out, HEADER)])
    expected, breaks_at = naive_frames(whole)
    found: list[bytes] = []
    broken = None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "_BLOCK", block_size)
        file = FrameFile(io.BytesIO(whole), "x")
        try:
            for _timestamp, link_type, frame, _interface in file:
                assert link_type == 147
                found.append(frame)
                assert file.position == HEADER + sum(16 + len(one) for one in found)
        except BrokenRecord as error:
            broken = error.offset
    assert (found, broken) == (expected, breaks_at)


def test_what_comes_through_a_pipe_is_there_at_once() -> None:
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb") as file, os.fdopen(write_end, "wb", buffering=0) as writing:
        writing.write(classic(147, b"first"))
        frames = iter(FrameFile(file, "pipe"))
        for frame in (b"first", b"second", b""):
            assert next(frames)[2] == frame
            following = b"second" if frame == b"first" else b""
            writing.write(classic(147, following)[HEADER:])
        writing.close()
        assert [frame for _, _, frame, _ in frames] == [b""]


@given(st.sampled_from([*FRAMES.values()]), st.lists(st.tuples(st.integers(0, 60), st.integers(0, 255)), max_size=3))
def test_the_short_way_finds_the_same_in_frames_of_any_kind(
    named: tuple[int, bytes], changes: list[tuple[int, int]]
) -> None:
    link_type, frame = named[0], bytearray(named[1])
    for at, value in changes:
        frame[at % len(frame)] = value
    short, report = read(classic(link_type, bytes(frame)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pcap, "find_usual_datagram", lambda *_arguments: None)
        assert read(classic(link_type, bytes(frame))) == (short, report)


@given(st.sampled_from([capture(), section() + interface(101), section(">")]), st.binary(max_size=200))
def test_hostile_files_end_in_a_report(start: bytes, junk: bytes) -> None:
    datagrams, report = read(start + junk)
    assert report.udp == len(datagrams) <= report.packets


@given(st.binary(max_size=100))
def test_any_file_is_read_or_refused(data: bytes) -> None:
    try:
        reader = CaptureReader(io.BytesIO(data))
    except CaptureError:
        return
    assert all(isinstance(item, Datagram) for item in reader)
