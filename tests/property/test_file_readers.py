"""Whatever is in a capture, a trace or a recording: it is read or refused, soon, in little memory, with little written.

Good files are made here and damaged from numbers, so every failure can be repeated: `damaged(GOOD, number)`.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tools.cli.main import invoke
from host_tools.content.captures.pcap import CaptureReader, CaptureWriter, Datagram, Endpoint
from host_tools.content.containers.recording import open_recording, record_to
from host_tools.content.containers.stkm_track import NamedTrack
from host_tools.content.errors import MediaError
from host_tools.content.known import KNOWN
from host_tools.content.rtp import RtpPacket
from host_tools.content.sinks.media_out import MediaOut
from host_tools.content.srtp.format import SrtpFormat
from host_tools.content.srtp.receiver import SrtpSender
from host_tools.content.stkm_name import tek_name
from host_tools.content.traffic_key import TrafficKey
from host_tools.terminal.bcast import StkmOutcome
from host_tools.terminal.departure import Departure, Service
from host_tools.terminal.player import Player, PlayOptions
from host_tools.trace.captured import CapturedTrace, as_captured
from host_tools.trace.diff import diff_traces, difference_lines
from host_tools.trace.events import TraceEvent
from host_tools.trace.gsmtap import PcapngSink
from host_tools.trace.jsonl import JsonLinesSink, TraceFileError, read_json_lines
from host_tools.trace.text import TextSink
from tests.support.mutation import damaged, watched
from tests.unit.host_tools.content.captures.test_link_layers import FRAMES_OF_EVERY_KIND
from tests.unit.host_tools.content.captures.test_pcap import block, classic, enhanced, interface, section, simple
from tests.unit.host_tools.terminal.test_player import MSK_ID, SALT, UNKNOWN, FakeCard, ids, stkm, tek
from tests.unit.host_tools.trace.fakes import RESET, exchange

SECONDS, MEGABYTES = 10, 100
RUNS, NIGHTLY_RUNS = 170, 3_400  # of each of the six readers: 1,000 and 20,000
PART = 17
MOST_WRITTEN = 8 << 20
"""Bytes of media that a damaged capture of some kilobytes may become: the silence of a few files."""

Reader = Callable[[Path], None]


class AnyCard(FakeCard):
    """Gives the TEK that an STKM names; of a damaged one it knows nothing, and any service can be left."""

    def feed(self, message: bytes) -> StkmOutcome:
        known = any(ids(number).encode() in message for number in range(10))
        return super().feed(message) if known else UNKNOWN

    def leave(self, service: Service) -> Departure:
        return Departure(service)


def captures() -> tuple[bytes, ...]:
    """Classic captures of every link layer, and pcapng files with every kind of block."""
    blocks = section() + interface(1) + interface(101)
    for number, (link_type, frame) in enumerate(FRAMES_OF_EVERY_KIND):
        blocks += interface(link_type) + enhanced(number + 2, 1_800_000_000_000_000, frame)
    blocks += simple(FRAMES_OF_EVERY_KIND[0][1]) + block(5, bytes(16)) + block(0x0BAD, bytes(8))
    old = block(2, struct.pack("<HHIIII", 1, 0, 0, 0, 20, 20) + bytes(20))
    return (*(classic(link_type, frame) for link_type, frame in FRAMES_OF_EVERY_KIND), blocks, blocks + old)


def media_packet(sender: SrtpSender, number: int, payload_type: int, ssrc: int, step: int, mki: bytes) -> Datagram:
    plain = RtpPacket(payload_type, number % 65_536, number * step % 2**32, ssrc, bytes(160)).encode()
    protected = sender.protect(plain, mki, TrafficKey(tek(1), SALT))
    return Datagram(number / 50, Endpoint("10.0.0.1", 4000), Endpoint("239.1.1.2", 5004), protected)


def broadcast(mki_size: int = 6) -> list[Datagram]:
    """Two sources, several payload types, gaps of any kind."""
    senders = SrtpSender(SrtpFormat(mki_size=mki_size)), SrtpSender(SrtpFormat(mki_size=mki_size))
    mki = tek_name(MSK_ID, b"\0\1")[:mki_size]
    numbers = [1, 2, 4, 3, 10, 11, 40_000, 40_001, 70_000]
    packets = [
        media_packet(senders[source], number, kind, source, step, mki)
        for source, kind, step in ((0, 0, 160), (1, 10, 441_001))
        for number in numbers
    ]
    return [stkm(1, 1), *packets, media_packet(senders[0], 70_001, 33, 0, 160, mki), stkm(2, 2)]


def as_pcap(datagrams: Sequence[Datagram]) -> bytes:
    file = io.BytesIO()
    writer = CaptureWriter(file)
    for datagram in datagrams:
        writer.write(datagram)
    return file.getvalue()


EVENTS: tuple[TraceEvent, ...] = (
    RESET,
    exchange(2, "00A4040C10A0000000871002FFFFFFFF8907090000", "9000"),
    exchange(3, "00A40004026F0700", "62168202412183026F078A01058B036F06028002000988010090" + "00"),
    exchange(4, "00B0000009", "08" + "19" * 8 + "9000"),
    exchange(5, "0089808553" + "53" * 0x53, "62F3", hidden_command=((5, 9),)),
    exchange(6, "4BA4000C027F10", "9000"),
    exchange(7, "00B00000000258", "55" * 600 + "9000"),
    exchange(8, "0070000001", "019000"),
    exchange(9, "A0A40000023F00", "9F17"),
)


def written(tmp_path: Path, sink: Callable[[Path], PcapngSink | JsonLinesSink]) -> bytes:
    path = tmp_path / "good"
    made = sink(path)
    for event in EVENTS:
        made.emit(event)
    made.close()
    return path.read_bytes()


def recording(tmp_path: Path, mki_size: int) -> bytes:
    path = tmp_path / "good.bcrec"
    with record_to(path, "film", 2269, protection=SrtpFormat(mki_size=mki_size)) as writer:
        for datagram in broadcast(mki_size):
            writer.take(datagram)
    return path.read_bytes()


def read_capture(path: Path) -> None:
    with path.open("rb") as file:
        reader = CaptureReader(file)
        count = sum(1 for _ in reader)
    report = reader.report
    assert report.udp == count
    assert report.packets == report.udp + report.joined + report.skipped_reasons.total()


def play(path: Path, mki_size: int) -> None:
    folder = path.with_name("heard")
    folder.mkdir(exist_ok=True)
    out = MediaOut(folder / "x")
    player = Player(AnyCard(), out, PlayOptions(KNOWN.with_layout(SrtpFormat(mki_size=mki_size))))
    try:
        with path.open("rb") as file:
            player.play(CaptureReader(file))
    finally:
        out.close()
        size = sum(file.stat().st_size for file in folder.iterdir())
        for heard in out.files:
            heard.unlink()
    counted = player.statistics
    assert size < MOST_WRITTEN
    assert counted.packets_seen == counted.packets_decrypted + counted.packets_repeated + counted.packets_shut
    assert sum(stream.packets for stream in out.streams) <= counted.packets_decrypted


def show(events: Sequence[TraceEvent]) -> None:
    lines: list[str] = []
    sink = TextSink(lines.append)
    for event in events:
        sink.emit(event)
    for difference in diff_traces(as_captured(EVENTS), as_captured(events)):
        lines += difference_lines(difference)
    assert all(line.isprintable() for written in lines for line in written.split("\n"))


def replay(path: Path) -> None:
    with open_recording(path, KNOWN) as content:
        played = list(content.datagrams())
        protection = content.index.protection
        assert isinstance(content._track(protection, 0.0), NamedTrack) == protection.names_key
    assert all(datagram.timestamp >= 0 for datagram in played)


READERS: dict[str, tuple[Callable[[Path], Sequence[bytes]], Reader]] = {
    "capture": (lambda _path: captures(), read_capture),
    "play": (lambda _path: [as_pcap(broadcast())], lambda path: play(path, 6)),
    "play without MKI": (lambda _path: [as_pcap(broadcast(0))], lambda path: play(path, 0)),
    "captured trace": (
        lambda path: [written(path, lambda name: PcapngSink(name.open("wb")))],
        lambda path: show(list(CapturedTrace(path))),
    ),
    "trace": (
        lambda path: [written(path, lambda name: JsonLinesSink(name.open("w", encoding="utf-8")))],
        lambda path: show(list(read_json_lines(path))),
    ),
    "recording": (lambda path: [recording(path, 6), recording(path, 0)], replay),
}


def attack(name: str, tmp_path: Path, numbers: range) -> None:
    """Read damaged files: nothing is raised but the errors that say so. The good files are read to their end."""
    make, read = READERS[name]
    good, path = make(tmp_path), tmp_path / "damaged"
    for whole in good:
        path.write_bytes(whole)
        read(path)
    for number in numbers:
        path.write_bytes(damaged(good, number))
        with watched(SECONDS, MEGABYTES), suppress(MediaError, TraceFileError):
            read(path)


@pytest.mark.parametrize("first", range(0, RUNS, PART * 2))
@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_read_or_refused(name: str, first: int, tmp_path: Path) -> None:
    attack(name, tmp_path, range(first, first + PART * 2))


@pytest.mark.nightly
@pytest.mark.parametrize("first", range(RUNS, NIGHTLY_RUNS, PART * 10))
@pytest.mark.parametrize("name", READERS)
def test_many_damaged_files_are_read_or_refused(name: str, first: int, tmp_path: Path) -> None:
    attack(name, tmp_path, range(first, first + PART * 10))


@pytest.mark.parametrize("suffix", ["pcapng", "jsonl"])
def test_the_command_ends_with_a_status_that_says_which(
    suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, _ = READERS["captured trace" if suffix == "pcapng" else "trace"]
    good, path = make(tmp_path), tmp_path / f"t.{suffix}"
    statuses = set()
    for number in range(60):
        path.write_bytes(damaged(good, number))
        status = invoke(["trace", "show", str(path)])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        assert ("Error: " in err) is (status != 0)
        statuses.add(status)
    assert statuses == {0, 5}


kinds = st.sampled_from([1, 2, 3, 4, 5, 6, 0x0BAD, 0x0A0D0D0A, 7]) | st.integers(0, 0xFFFF_FFFF)
sizes = st.sampled_from([0, 11, 12, 13, 16, 28, 32, 1 << 24, 0x7FFF_FFFC, 0x8000_0000, 0xFFFF_FFFC])
blocks = st.one_of(
    st.builds(block, kinds, st.binary(max_size=80)),
    st.builds(
        interface, st.sampled_from([0, 1, 9, 51, 101, 113, 276]) | st.integers(0, 0xFFFF), st.binary(max_size=40)
    ),
    st.builds(enhanced, st.integers(0, 3), st.integers(0, (1 << 64) - 1), st.binary(max_size=80)),
    st.builds(simple, st.binary(max_size=60)),
    st.builds(lambda kind, size, rest: struct.pack("<II", kind, size) + rest, kinds, sizes, st.binary(max_size=40)),
    st.builds(section, st.sampled_from("<>")),
)


@given(st.lists(blocks, max_size=8))
def test_any_blocks_are_read_or_told(parts: list[bytes]) -> None:
    data = section() + interface(101) + b"".join(parts)
    reader = CaptureReader(io.BytesIO(data))
    count = sum(1 for _ in reader)
    report = reader.report
    assert report.packets == count + report.joined + report.skipped_reasons.total()
    assert report.is_whole or (report.problem and 0 < (report.truncated_at or 0) < len(data))


@given(st.integers(0, len(FRAMES_OF_EVERY_KIND) - 1), st.integers(0, 1 << 62))
def test_any_frame_is_a_datagram_or_a_reason(which: int, number: int) -> None:
    link_type, frame = FRAMES_OF_EVERY_KIND[which]
    reader = CaptureReader(io.BytesIO(classic(link_type, damaged([frame], number))))
    assert len(list(reader)) + reader.report.skipped_reasons.total() == 1
