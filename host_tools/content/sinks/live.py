"""Decrypted media while they come: each packet goes on at once, and sound into a pipe, beside what files get."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO, Final

from host_tools.content.captures.datagrams import Datagram
from host_tools.content.rtp import RtpPacket
from host_tools.content.sinks.jitter import JitterBuffer
from host_tools.content.sinks.media_out import MediaOut
from host_tools.content.sinks.sink import AudioFormat, audio_format

_ENDLESS: Final = 0xFFFF_FFFF - 36
"""Octets of sound that the head of a WAV stream tells: nobody knows how many there will be."""
_LONGEST_SILENCE = 10  # seconds put in for one gap; a longer jump is a new start
_SAMPLE_BYTES = 2
_WRAP = 1 << 32


class SoundPipe:
    """Sound as a WAV stream that does not end: the packets of one source in order, silence where some are missing.

    Packets of another format than the first are left out and counted.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._audio: AudioFormat | None = None
        self._payload_type: int | None = None
        self._source: int | None = None
        self._buffer: JitterBuffer[RtpPacket] = JitterBuffer()
        self._next: int | None = None
        self.left_out = 0

    def write(self, packet: RtpPacket) -> None:
        """Take a packet as it came. Raises `BrokenPipeError` when the reader has gone."""
        if packet.ssrc != self._source:
            self.flush()
            self._source = packet.ssrc
        for found in self._buffer.put(packet.sequence, packet):
            self._sound(found.item, anew=found.anew)

    def flush(self) -> None:
        """Write what still waits."""
        for found in self._buffer.drain():
            self._sound(found.item, anew=found.anew)
        self._next = None
        self._file.flush()

    def _sound(self, packet: RtpPacket, *, anew: bool) -> None:
        if self._audio is None:
            self._audio, self._payload_type = audio_format(packet.payload_type), packet.payload_type
            if self._audio is not None:
                self._file.write(_head(self._audio))
        if self._audio is None or packet.payload_type != self._payload_type:
            self.left_out += 1
            return
        samples = self._audio.to_linear(packet.payload)
        frame = _SAMPLE_BYTES * self._audio.channels
        if self._next is not None and not anew:
            gap = (packet.timestamp - self._next + _WRAP // 2) % _WRAP - _WRAP // 2
            if 0 < gap <= _LONGEST_SILENCE * self._audio.rate:
                self._file.write(bytes(gap * frame))
        self._file.write(samples)
        self._next = (packet.timestamp + len(samples) // frame) % _WRAP


class LiveOut(MediaOut):
    """Does what `MediaOut` does, and hands each packet on as it is opened: `send` gets RTP, `pipe` sound."""

    def __init__(
        self,
        stem: Path | None = None,
        read: Iterable[Path | None] = (),
        *,
        send: Callable[[int, bytes], None] | None = None,
        pipe: SoundPipe | None = None,
    ) -> None:
        """Take where files go, and who gets packets: `send` with the port that they were sent to, and RTP."""
        super().__init__(stem, read)
        self._send = send
        self._pipe = pipe

    def write(self, packet: RtpPacket, carrier: Datagram) -> None:
        """Take one decrypted packet. Raises `MediaError`, `BrokenPipeError`."""
        if self._send is not None:
            self._send(carrier.destination.port, packet.encode())
        if self._pipe is not None:
            self._pipe.write(packet)
        super().write(packet, carrier)

    def flush(self) -> None:
        """Hand on what waits for its turn."""
        super().flush()
        if self._pipe is not None:
            self._pipe.flush()


def _head(audio: AudioFormat) -> bytes:
    frame = _SAMPLE_BYTES * audio.channels
    kind = struct.pack("<HHIIHH", 1, audio.channels, audio.rate, audio.rate * frame, frame, 8 * _SAMPLE_BYTES)
    sizes = struct.pack("<I", _ENDLESS + 36), struct.pack("<I", len(kind)), struct.pack("<I", _ENDLESS)
    return b"RIFF" + sizes[0] + b"WAVEfmt " + sizes[1] + kind + b"data" + sizes[2]
