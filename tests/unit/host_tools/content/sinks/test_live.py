"""Sound into a pipe: in order, with silence for what is missing, and nothing of another format."""

from __future__ import annotations

from io import BytesIO

from host_tools.content.rtp import PayloadFormat, RtpPacket
from host_tools.content.sinks.live import SoundPipe

HEAD = 44
FRAMES = 160


def packet(number: int, ssrc: int = 1, kind: int = PayloadFormat.PCMU) -> RtpPacket:
    return RtpPacket(kind, number, FRAMES * number, ssrc, bytes((number,)) * FRAMES)


def piped(*packets: RtpPacket) -> tuple[bytes, SoundPipe]:
    file = BytesIO()
    pipe = SoundPipe(file)
    for one in packets:
        pipe.write(one)
    pipe.flush()
    return file.getvalue()[HEAD:], pipe


def test_packets_come_out_in_order() -> None:
    ordered, _ = piped(*(packet(number) for number in range(4)))
    shuffled, _ = piped(*(packet(number) for number in (0, 2, 1, 3)))
    assert shuffled == ordered
    assert len(ordered) == 4 * FRAMES * 2


def test_what_is_missing_is_silent() -> None:
    whole, _ = piped(packet(0), packet(1), packet(2))
    holed, _ = piped(packet(0), packet(2))
    step = FRAMES * 2
    assert holed == whole[:step] + bytes(step) + whole[2 * step :]


def test_another_source_begins_at_once() -> None:
    sound, pipe = piped(packet(0), packet(1), packet(40, ssrc=2))
    assert len(sound) == 3 * FRAMES * 2
    assert pipe.left_out == 0


def test_another_format_is_left_out() -> None:
    sound, pipe = piped(packet(0), packet(1, kind=PayloadFormat.PCMA), packet(2, kind=PayloadFormat.MP2T))
    assert len(sound) == FRAMES * 2
    assert pipe.left_out == 2


def test_what_is_no_sound_makes_no_stream() -> None:
    file = BytesIO()
    pipe = SoundPipe(file)
    pipe.write(packet(1, kind=PayloadFormat.MP2T))
    pipe.flush()
    assert (file.getvalue(), pipe.left_out) == (b"", 1)
