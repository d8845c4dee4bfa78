"""Decrypted media as files that other programs open."""

from __future__ import annotations

import wave
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from host_tools.media.errors import MediaError
from host_tools.media.g711 import decode_alaw, decode_mulaw
from host_tools.media.pcap import Datagram, Endpoint, open_capture
from host_tools.media.rtp import RtpPacket
from host_tools.media.sink import open_sink

CARRIER = Datagram(1000.0, Endpoint("10.0.0.1", 4000), Endpoint("239.1.1.1", 5004), b"protected")


def packet(timestamp: int, payload: bytes, payload_type: int = 0) -> RtpPacket:
    return RtpPacket(payload_type, 1, timestamp % 2**32, 77, payload)


def write(stem: Path, packets: Sequence[RtpPacket]) -> Path:
    sink = open_sink(stem, packets[0].payload_type)
    for item in packets:
        sink.write(item, CARRIER)
    sink.close()
    sink.close()
    return sink.path


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
    assert read_wav(write(tmp_path / "x", packets))[3] == decode_mulaw(b"\x80" * 160)


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


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="missing"):
        open_sink(tmp_path / "missing" / "x", 0)
