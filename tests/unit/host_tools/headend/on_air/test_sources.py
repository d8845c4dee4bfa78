"""Frames from WAV files, from whatever ffmpeg reads, and from RTP that somebody sends; silence where nothing comes."""

from __future__ import annotations

import math
import os
import socket
import struct
import threading
import time
import wave
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest

from host_tools.content.rtp import RtpPacket
from host_tools.content.sinks.g711 import encode_mulaw
from host_tools.exchange.errors import TransportError
from host_tools.headend.bsda.frames import FRAME_SAMPLES, SILENCE, CycleFrames, tone_frames
from host_tools.headend.errors import HeadendError
from host_tools.headend.on_air.sources import FfmpegFrames, RtpFrames, open_source, wav_frames
from tests.support.capabilities import program
from tests.support.free_ports import free_ports


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def tone(rate: int, seconds: float, channels: int = 1) -> list[int]:
    return [
        round(8000 * math.sin(2 * math.pi * 440 * number / rate))
        for number in range(round(rate * seconds))
        for _ in range(channels)
    ]


def write_wav(path: Path, samples: list[int], rate: int, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    return path


def crossings(sound: bytes) -> int:
    """Count how often PCMU changes its sign, which is its first bit."""
    return sum((one ^ other) >> 7 for one, other in pairwise(sound))


def test_a_wav_file_of_our_own_rate_is_played_sample_by_sample_and_again(tmp_path: Path, opened: ExitStack) -> None:
    samples = tone(8000, 0.05)
    source = open_source(str(write_wav(tmp_path / "a.wav", samples, 8000)), "x", opened)
    assert isinstance(source, CycleFrames)
    heard = [source.frame(number) for number in range(6)]
    padded = [*samples, *[0] * (3 * FRAME_SAMPLES - len(samples))]
    assert b"".join(heard[:3]) == encode_mulaw(padded)
    assert heard[3:] == heard[:3]


def test_a_wav_file_of_another_rate_keeps_its_pitch(tmp_path: Path) -> None:
    found = wav_frames(write_wav(tmp_path / "a.wav", tone(44_100, 1.0, 2), 44_100, 2))
    assert found is not None
    sound = b"".join(found.frame(number) for number in range(50))
    assert crossings(sound) == pytest.approx(880, abs=4)


def test_ffmpeg_reads_what_is_no_plain_wav(tmp_path: Path, opened: ExitStack) -> None:
    program("ffmpeg")
    with wave.open(str(tmp_path / "-a.wav"), "wb") as file:
        file.setparams((1, 1, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(128 + value // 128 for value in tone(16_000, 2.0)))
    source = open_source(str(tmp_path / "-a.wav"), "x", opened)
    assert isinstance(source, FfmpegFrames)
    sound = bytearray()
    for number in range(150):  # longer than the file: it begins anew
        deadline = time.monotonic() + 20
        while (frame := source.frame(number)) == SILENCE and time.monotonic() < deadline:
            time.sleep(0.01)
        sound += frame
    assert crossings(bytes(sound)) == pytest.approx(2640, abs=40)


def test_when_ffmpeg_ends_it_is_said_and_silence_is_counted(
    tmp_path: Path, opened: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    stopped = tmp_path / "ffmpeg"
    stopped.write_text("#!/bin/sh\nhead -c 800 /dev/zero\n")
    stopped.chmod(0o755)
    source = opened.enter_context(FfmpegFrames(str(stopped), tmp_path / "film.mp4"))
    deadline = time.monotonic() + 20
    while not caplog.records and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [source.frame(number) == SILENCE for number in range(7)] == [False] * 5 + [True] * 2
    assert source.silent == 2
    assert [record.getMessage() for record in caplog.records] == [
        f"ffmpeg has ended: instead of {tmp_path / 'film.mp4'} silence is sent"
    ]


def test_an_end_that_is_wanted_is_not_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_wav(tmp_path / "a.wav", tone(8000, 1.0), 8000)
    before = threading.active_count()
    with FfmpegFrames(str(program("ffmpeg")), tmp_path / "a.wav") as source:
        assert source.frame(0) != SILENCE
    assert not caplog.records
    assert threading.active_count() == before, "its reader has ended"


@pytest.mark.parametrize("cut", [1, 2, 4_001, 8_000])
def test_a_wav_file_that_is_cut_off(cut: int, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", tone(8000, 1.0), 8000)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(HeadendError, match="no whole WAV file"):
        wav_frames(path)


def test_a_file_without_sound(tmp_path: Path, opened: ExitStack) -> None:
    program("ffmpeg")
    path = tmp_path / "a.txt"
    path.write_text("no sound")
    for name, words in ((str(path), "no sound"), (str(tmp_path / "b.wav"), "b.wav")):
        with pytest.raises(HeadendError, match=words):
            open_source(name, "x", opened)
    (tmp_path / "link").symlink_to("link")
    os.mkfifo(tmp_path / "pipe")
    for unusable in ("/dev/zero", str(tmp_path), str(tmp_path / "pipe"), str(tmp_path / "link")):
        with pytest.raises(HeadendError):
            open_source(unusable, "x", opened)
    write_wav(path, [], 8000)
    with pytest.raises(HeadendError, match="holds no sound"):
        open_source(str(path), "x", opened)


def test_rtp_that_somebody_sends(opened: ExitStack) -> None:
    probe, port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), free_ports("127.0.0.1")
    probe.bind(("127.0.0.1", port))
    with pytest.raises(TransportError, match="cannot be had"):
        open_source(f"rtp://127.0.0.1:{port}", "x", opened)
    probe.close()
    source = open_source(f"rtp://127.0.0.1:{port}", "x", opened)
    assert isinstance(source, RtpFrames)
    assert source.frame(0) == SILENCE
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for number in range(3):  # of 30 ms: two of them are three frames
            packet = RtpPacket(0, number, number * 240, 7, bytes((number,)) * 240)
            sender.sendto(packet.encode(), ("127.0.0.1", port))
        sender.sendto(b"nothing", ("127.0.0.1", port))
        sender.sendto(RtpPacket(8, 9, 0, 7, bytes(160)).encode(), ("127.0.0.1", port))
    sound = b"".join(source.frame(number) for number in range(1, 5))
    assert sound == b"\0" * 240 + b"\1" * 240 + b"\2" * 160
    assert source.frame(5) == SILENCE
    assert source.foreign == 2
    with pytest.raises(HeadendError, match="port"):
        open_source("rtp://127.0.0.1:0", "x", opened)


def test_the_melody(opened: ExitStack) -> None:
    found = open_source("tone", "tone-a", opened)
    assert [found.frame(number) for number in range(200)] == [
        tone_frames("tone-a").frame(number) for number in range(200)
    ]
    assert found.frame(0) == found.frame(100)
