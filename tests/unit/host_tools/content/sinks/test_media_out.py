"""Decrypted packets on their way to streams and files: order, payload types, and too many sources."""

from __future__ import annotations

import errno
import wave
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from host_tools.cli.terminal.report import media_rows
from host_tools.content.captures.pcap import Datagram, Endpoint
from host_tools.content.errors import OutputError
from host_tools.content.known import KNOWN
from host_tools.content.rtp import RtpPacket
from host_tools.content.sinks.g711 import decode_alaw, decode_mulaw
from host_tools.content.sinks.jitter import DEPTH
from host_tools.content.sinks.media_out import FURTHER_STREAMS, MAX_STREAMS, MediaOut
from host_tools.content.sinks.sink import TOO_LATE, WavSink
from host_tools.terminal.player import Player, PlayOptions
from tests.unit.host_tools.terminal.test_player import FakeCard, Media, stkm

CARRIER = Datagram(1000.0, Endpoint("10.0.0.1", 4000), Endpoint("239.1.1.1", 5004), b"protected")
FRAME = 160


def packet(number: int, payload_type: int = 0, ssrc: int = 77) -> RtpPacket:
    return RtpPacket(payload_type, number % 65536, FRAME * number % 2**32, ssrc, bytes([number % 251]) * FRAME)


def take(stem: Path | None, packets: Iterable[RtpPacket]) -> MediaOut:
    out = MediaOut(stem)
    for one in packets:
        out.write(one, CARRIER)
    out.close()
    return out


def sound(path: Path) -> bytes:
    with wave.open(str(path)) as file:
        return bytes(file.readframes(file.getnframes()))


def codes(numbers: Iterable[int]) -> bytes:
    return b"".join(bytes([number % 251]) * FRAME for number in numbers)


def test_two_neighbours_that_changed_places_sound_in_their_order(tmp_path: Path) -> None:
    numbers = [1, 2, 4, 3, 5, 6, 8, 7, 9]
    out = take(tmp_path / "x", map(packet, numbers))
    assert sound(out.files[0]) == decode_mulaw(codes(range(1, 10)))
    assert (out.left_out, out.streams[0].packets) == ({}, 9)
    assert out.streams[0].digest == take(None, map(packet, range(1, 10))).streams[0].digest


def test_through_the_player_too(tmp_path: Path) -> None:
    media, out = Media(), MediaOut(tmp_path / "x")
    one, two, three = (media.packet(1) for _ in range(3))
    result = Player(FakeCard(), out, PlayOptions(KNOWN)).play([stkm(1, 1), one, three, two])
    out.close()
    assert result.packets_decrypted == 3
    assert sound(out.files[0]) == decode_mulaw(b"".join(bytes([number]) * FRAME for number in (1, 2, 3)))


def test_what_comes_when_its_turn_is_over_is_counted(tmp_path: Path) -> None:
    numbers = [1, *range(3, 5 + DEPTH), 2]
    out = take(tmp_path / "x", map(packet, numbers))
    assert out.left_out == {TOO_LATE: 1}
    assert out.streams[0].packets == len(numbers) - 1
    assert sound(out.files[0])[: 6 * FRAME] == decode_mulaw(codes([1]) + b"\xff" * FRAME + codes([3]))


def test_other_payload_types_of_one_source_are_other_streams(tmp_path: Path) -> None:
    """Mu-law, A-law and a dynamic payload type (RFC 3550 clause 5.1: it may change from packet to packet)."""
    kinds = [0, 0, 8, 0, 96, 8]
    out = take(tmp_path / "x", [packet(number, kind) for number, kind in enumerate(kinds, 1)])
    assert [(stream.payload_type, stream.packets) for stream in out.streams] == [(0, 3), (8, 2), (96, 1)]
    mulaw, alaw, other = out.files
    assert [path.name for path in out.files] == [
        "x-5004.wav", "x-5004-0000004d-pt8.wav", "x-5004-0000004d-pt96.pcap",
    ]  # fmt: skip
    assert sound(mulaw) == decode_mulaw(codes([1, 2]) + b"\xff" * FRAME + codes([4]))
    assert sound(alaw) == decode_alaw(codes([3])) + bytes(2 * 2 * FRAME) + decode_alaw(codes([6]))
    assert bytes([5]) * FRAME in other.read_bytes()


@pytest.mark.parametrize("with_files", [False, True])
def test_more_sources_than_streams(tmp_path: Path, with_files: bool) -> None:
    sources = MAX_STREAMS + 6
    packets = [packet(number, ssrc=ssrc) for number in range(3) for ssrc in range(sources)]
    out = take(tmp_path / "x" if with_files else None, packets)
    assert [stream.packets for stream in out.streams] == [3] * MAX_STREAMS
    assert len(out.files) == (MAX_STREAMS if with_files else 0)
    assert out.left_out == {FURTHER_STREAMS: 18}


def test_payload_types_do_not_open_files_without_end(tmp_path: Path) -> None:
    packets = [packet(number, payload_type=number % 128) for number in range(256)]
    out = take(tmp_path / "x", packets)
    assert (len(out.files), out.left_out[FURTHER_STREAMS]) == (MAX_STREAMS, 256 - 2 * MAX_STREAMS)


def test_one_source_at_two_addresses_of_one_port_makes_two_files(tmp_path: Path) -> None:
    out = MediaOut(tmp_path / "x")
    for host in ("239.1.1.1", "239.1.1.2", "239.1.1.3"):
        out.write(packet(1), replace(CARRIER, destination=Endpoint(host, 5004)))
    out.close()
    assert len({*out.files}) == 3
    assert all(sound(path) == decode_mulaw(codes([1])) for path in out.files)


def test_a_piece_that_is_played_again_sounds_again(tmp_path: Path) -> None:
    out = MediaOut(tmp_path / "x")
    for numbers in (range(1, 6), range(2, 4)):
        for number in numbers:
            out.write(packet(number), CARRIER)
        out.flush()
    out.close()
    assert sound(out.files[0]) == decode_mulaw(codes([1, 2, 3, 4, 5, 2, 3]))
    assert out.left_out == {}


def test_silence_that_is_left_out_is_told(tmp_path: Path) -> None:
    far = [RtpPacket(0, number, number * 80_000, 77, b"\x80") for number in range(9)]
    out = take(tmp_path / "x", far)
    ((path, seconds),) = out.silence_left_out.items()
    assert (path, round(seconds)) == (out.files[0], 70)
    assert (f"Left out of {path.name}", "70.0 s of silence: more than its sound allows") in media_rows(out)


def test_a_file_that_cannot_be_finished_leaves_no_other_unfinished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first error is told, when all are done."""
    out = MediaOut(tmp_path / "x")
    for port in (5000, 5002, 5004):
        carrier = replace(CARRIER, destination=Endpoint("239.1.1.1", port))
        for number in (*range(DEPTH + 2), DEPTH + 3):  # the last one waits for the one before
            out.write(packet(number, ssrc=port), carrier)
    sinks = [stream.sink for stream in out.streams]
    assert all(isinstance(sink, WavSink) for sink in sinks)

    def full(done: Callable[[], None] = lambda: None) -> None:
        done()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sinks[0], "write", lambda *_: full())
    for sink in sinks[:2]:
        assert isinstance(sink, WavSink)
        monkeypatch.setattr(sink._wave, "close", partial(full, sink._wave.close))
    with pytest.raises(OutputError, match=r"x-5000\.wav: .*No space"):
        out.close()
    assert all(isinstance(sink, WavSink) and sink._file.closed for sink in sinks)
    assert sound(out.files[2]) == decode_mulaw(codes(range(DEPTH + 2)) + b"\xff" * FRAME + codes([DEPTH + 3]))


def test_media_never_go_over_what_is_read(tmp_path: Path) -> None:
    """Of `play x-5004.pcap -o x` the file of packets of a stream on port 5004 has the name of the capture."""
    capture, other_name = tmp_path / "x-5004.pcap", tmp_path / "linked.pcap"
    other_name.write_bytes(b"a capture")
    capture.hardlink_to(other_name)
    out = MediaOut(tmp_path / "x", (None, other_name))
    with pytest.raises(OutputError, match=r"x-5004\.pcap is what this command reads"):
        take_all(out)
    assert other_name.read_bytes() == b"a capture"


def take_all(out: MediaOut) -> None:
    for number in range(DEPTH + 1):
        out.write(packet(number, payload_type=96), CARRIER)
