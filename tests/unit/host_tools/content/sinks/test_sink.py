"""Decrypted media as files that other programs open."""

from __future__ import annotations

import wave
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Literal

import pytest

from host_tools.content.captures.pcap import Datagram, Endpoint, open_capture
from host_tools.content.errors import MediaError
from host_tools.content.rtp import RtpPacket
from host_tools.content.sinks import sink as sink_module
from host_tools.content.sinks.g711 import decode_alaw, decode_mulaw
from host_tools.content.sinks.sink import (
    FULL_FILE,
    NO_PLACE,
    NO_WHOLE_SAMPLE,
    NO_WHOLE_TS_PACKET,
    TOO_LATE,
    Sink,
    open_sink,
)

CARRIER = Datagram(1000.0, Endpoint("10.0.0.1", 4000), Endpoint("239.1.1.1", 5004), b"protected")


def packet(timestamp: int, payload: bytes, payload_type: int = 0) -> RtpPacket:
    return RtpPacket(payload_type, 1, timestamp % 2**32, 77, payload)


def write(stem: Path, packets: Sequence[RtpPacket]) -> Path:
    return fill(stem, packets).path


def fill(stem: Path, packets: Sequence[RtpPacket]) -> Sink:
    sink = open_sink(stem, packets[0].payload_type)
    for item in packets:
        sink.write(item, CARRIER)
    sink.close()
    sink.close()
    return sink


def read_wav(path: Path) -> tuple[int, int, int, bytes]:
    with wave.open(str(path)) as file:
        frames = file.readframes(file.getnframes())
        return file.getframerate(), file.getnchannels(), file.getsampwidth(), frames


def test_pcmu_becomes_a_wav_file(tmp_path: Path) -> None:
    first, second = bytes(range(160)), bytes(range(96, 256))
    path = write(tmp_path / "tone.a", [packet(0, first), packet(160, second)])
    assert path.name == "tone.a.wav"
    assert read_wav(path) == (8000, 1, 2, decode_mulaw(first + second))


def test_pcma_becomes_a_wav_file(tmp_path: Path) -> None:
    path = write(tmp_path / "x", [packet(0, b"\x01\x02", 8)])
    assert read_wav(path) == (8000, 1, 2, decode_alaw(b"\x01\x02"))


@pytest.mark.parametrize(("payload_type", "channels"), [(10, 2), (11, 1)])
def test_l16_becomes_a_wav_file(tmp_path: Path, payload_type: int, channels: int) -> None:
    path = write(tmp_path / "x", [packet(0, b"\x01\x02\x03\x04\x05", payload_type)])
    assert read_wav(path) == (44_100, channels, 2, b"\x02\x01\x04\x03")


def test_a_gap_becomes_silence_also_across_the_wrap_of_the_timestamp(tmp_path: Path) -> None:
    path = write(tmp_path / "x", [packet(-160, b"\x80" * 160), packet(80, b"\x80" * 160)])
    assert read_wav(path)[3] == decode_mulaw(b"\x80" * 160 + b"\xff" * 80 + b"\x80" * 160)


def test_late_and_repeated_packets_are_left_out(tmp_path: Path) -> None:
    packets = [packet(160, b"\x80" * 160), packet(160, b"\x80" * 160), packet(0, b"\x00" * 160)]
    sink = fill(tmp_path / "x", packets)
    assert read_wav(sink.path)[3] == decode_mulaw(b"\x80" * 160)
    assert sink.left_out == {TOO_LATE: 2}


def test_a_jump_of_the_timestamp_is_no_gap(tmp_path: Path) -> None:
    path = write(tmp_path / "x", [packet(0, b"\x80"), packet(2**31, b"\x80"), packet(7, b"\x80")])
    assert read_wav(path)[3] == decode_mulaw(b"\x80\x80\x80")


def test_mpeg_ts_keeps_whole_packets(tmp_path: Path) -> None:
    ts = b"\x47" + bytes(187)
    path = write(tmp_path / "x", [packet(0, ts * 7, 33), packet(1, ts + b"\x47cut", 33)])
    assert path.suffix == ".ts"
    assert path.read_bytes() == ts * 8


def test_anything_else_becomes_a_capture_of_plain_rtp(tmp_path: Path) -> None:
    item = packet(5, b"video", 96)
    path = write(tmp_path / "x", [item])
    with open_capture(path) as capture:
        assert list(capture) == [replace(CARRIER, payload=item.encode())]


def test_silence_is_bounded_by_sound(tmp_path: Path) -> None:
    """Each packet of a few bytes may claim ten seconds of silence before it."""
    rate, count = 44_100, 2_500
    packets = [packet(number * (10 * rate + 1), bytes(4), 10) for number in range(count)]
    sink = fill(tmp_path / "x", packets)
    sound_and_most_silence = (count + 10 * rate + 4 * count) * 4
    assert count * 4 < sink.path.stat().st_size <= 44 + sound_and_most_silence
    silence = len(read_wav(sink.path)[3]) // 4 - count
    assert sink.silence_left_out == pytest.approx((count - 1) * 10 - silence / rate)


def test_ordinary_silence_is_kept_whole(tmp_path: Path) -> None:
    """A voice that is silent two thirds of the time, as one with voice detection is."""
    sink = fill(tmp_path / "x", [packet(number * 480, b"\x80" * 160) for number in range(1000)])
    assert len(read_wav(sink.path)[3]) == 2 * (999 * 480 + 160)
    assert (sink.silence_left_out, sink.left_out) == (0, {})


def test_a_file_ends_where_its_header_can_count_no_further(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sink_module, "_LARGEST_WAV", 1000)
    sink = fill(tmp_path / "x", [packet(160 * number, b"\x80" * 160) for number in range(10)])
    assert len(read_wav(sink.path)[3]) == 3 * 320
    assert sink.left_out == {FULL_FILE: 7}


def test_a_signal_between_samples_and_their_count_leaves_a_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if it came behind the write of the samples, inside of `wave`, which counts them only then."""
    files: list[BinaryIO] = []
    opened = wave.open

    def opening(file: BinaryIO, mode: Literal["wb"]) -> wave.Wave_write:
        files.append(file)
        return opened(file, mode)

    monkeypatch.setattr(wave, "open", opening)
    sink = open_sink(tmp_path / "x", 0)
    sink.write(packet(0, b"\x80" * 160), CARRIER)
    files[0].write(bytes(320))
    monkeypatch.undo()
    sink.close()
    with wave.open(str(sink.path)) as audio:
        assert 44 + 2 * audio.getnframes() == sink.path.stat().st_size == 44 + 320


def test_what_starts_anew_is_neither_late_nor_behind_a_gap(tmp_path: Path) -> None:
    sink = open_sink(tmp_path / "x", 0)
    for timestamp in (8000, 0, 40_000):
        sink.start_anew()
        sink.write(packet(timestamp, b"\x80" * 160), CARRIER)
    sink.close()
    assert (read_wav(sink.path)[3], sink.left_out) == (decode_mulaw(b"\x80" * 480), {})


@pytest.mark.parametrize(
    ("payload_type", "payload", "reason"),
    [(10, bytes(6), NO_WHOLE_SAMPLE), (11, bytes(3), NO_WHOLE_SAMPLE), (33, bytes(189), NO_WHOLE_TS_PACKET)],
)
def test_bytes_that_are_dropped_are_counted(tmp_path: Path, payload_type: int, payload: bytes, reason: str) -> None:
    assert fill(tmp_path / "x", [packet(0, payload, payload_type)]).left_out == {reason: 1}


def test_a_time_that_a_capture_cannot_hold_is_counted(tmp_path: Path) -> None:
    sink = open_sink(tmp_path / "x", 96)
    sink.write(packet(0, b"video", 96), replace(CARRIER, timestamp=5e9))
    sink.close()
    assert sink.left_out == {NO_PLACE: 1}


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="missing"):
        open_sink(tmp_path / "missing" / "x", 0)
