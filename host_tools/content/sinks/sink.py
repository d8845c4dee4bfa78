"""Where decrypted media goes: .wav for G.711 and L16, .ts for MPEG-2 TS, otherwise .pcap of plain RTP.

What a file becomes is bounded by what was read: silence is put in where sound is missing, but never much more of it
than there is sound, and a .wav file ends where its header can count no further.
"""

from __future__ import annotations

import wave
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Protocol

from host_tools.content.captures.pcap import CaptureWriter, Datagram
from host_tools.content.errors import CaptureError, OutputError
from host_tools.content.rtp import PayloadFormat, RtpPacket
from host_tools.content.sinks.g711 import decode_alaw, decode_mulaw
from host_tools.files.clash import NOTHING_READ, ReadFiles
from host_tools.files.writing import UnwritableFile, open_in_place

_LONGEST_SILENCE = 10  # seconds of silence put in for one gap; a longer jump is a new start, not a gap
_SILENCE_FOR_SOUND = 4  # seconds of silence that a second of sound allows, beside the longest of one gap
_LARGEST_WAV = (1 << 32) - (1 << 16)  # bytes of samples; the sizes in the header have 32 bits
_WAV_HEADER = 44
_WAV_SIZE_AT = 40  # four bytes of the header: how many bytes of samples follow
_SAMPLE_BYTES = 2
_TS_PACKET = 188
_TIMESTAMPS = 1 << 32


TOO_LATE = "too late for their place"
FULL_FILE = "not written: the file is as large as a .wav file can be"
NO_PLACE = "of a time or size that a .pcap file cannot hold"
NO_WHOLE_SAMPLE = "with bytes that make no whole sample"
NO_WHOLE_TS_PACKET = "with bytes that make no whole TS packet"


class Sink(Protocol):
    """Takes the decrypted packets of one stream in their order and makes a file of them."""

    left_out: Counter[str]
    """Packets of which nothing or not all is in the file, by reason."""

    @property
    def silence_left_out(self) -> float:
        """Seconds of silence that were not put in, because there is too little sound for so much."""

    @property
    def path(self) -> Path:
        """The file that is written."""

    def start_anew(self) -> None:
        """What comes next has nothing to do with what came before: its time is no gap, and it is not late."""

    def write(self, packet: RtpPacket, carrier: Datagram) -> None:
        """Take one packet; `carrier` is the datagram it came in, for its time and addresses."""

    def close(self) -> None:
        """Finish the file. Closing twice is harmless."""


def open_sink(stem: Path, payload_type: int, read: ReadFiles = NOTHING_READ) -> Sink:
    """Create the file for a payload type: `stem` with .wav, .ts or .pcap, none that is `read`. Raises `OutputError`."""
    audio = _AUDIO.get(payload_type)
    is_stream = payload_type == PayloadFormat.MP2T
    path = stem.with_name(stem.name + (".wav" if audio else ".ts" if is_stream else ".pcap"))
    try:
        read.refuse(path)
        if audio is not None:
            return WavSink(path, audio)
        return TransportStreamSink(path) if is_stream else PacketSink(path)
    except UnwritableFile as error:
        raise OutputError(str(error)) from None


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """How a payload becomes 16-bit little-endian samples. `rate` is in frames a second.

    `sample_bytes` is what a sample of one channel takes in the payload.
    """

    rate: int
    channels: int
    to_linear: Callable[[bytes], bytes]
    sample_bytes: int = 1


class WavSink:
    """Audio as a .wav file of 16-bit samples. Short gaps become silence; late packets are left out."""

    def __init__(self, path: Path, audio: AudioFormat) -> None:
        """Create the file. Raises `UnwritableFile`."""
        self.path = path
        self.left_out: Counter[str] = Counter()
        self._audio = audio
        self._frame_bytes = _SAMPLE_BYTES * audio.channels
        self._expected: int | None = None
        self._sound = self._silence = self._missing = 0  # frames written as sound and silence, and silence left out
        self._file: BinaryIO = open_in_place(path)
        self._wave = wave.open(self._file, "wb")  # noqa: SIM115  # closed by close()
        self._wave.setnchannels(audio.channels)
        self._wave.setsampwidth(_SAMPLE_BYTES)
        self._wave.setframerate(audio.rate)

    @property
    def silence_left_out(self) -> float:
        """Seconds of silence that were not put in."""
        return self._missing / self._audio.rate

    def start_anew(self) -> None:
        """Forget where the sound should go on."""
        self._expected = None

    def write(self, packet: RtpPacket, carrier: Datagram) -> None:  # noqa: ARG002  # the port gives it
        """Append the samples of one packet at the place its timestamp says."""
        samples = self._audio.to_linear(packet.payload)
        frames, rest = divmod(len(samples), self._frame_bytes)
        if rest or len(packet.payload) % self._audio.sample_bytes:
            self.left_out[NO_WHOLE_SAMPLE] += 1
        gap = self._gap_before(packet.timestamp)
        if not frames:
            return
        if gap < 0:
            self.left_out[TOO_LATE] += 1
            return
        if (self._sound + self._silence + gap + frames) * self._frame_bytes > _LARGEST_WAV:
            self.left_out[FULL_FILE] += 1
            return
        self._keep_silent(gap)
        self._wave.writeframesraw(samples[: frames * self._frame_bytes])
        self._sound += frames
        self._expected = (packet.timestamp + frames) % _TIMESTAMPS

    def _keep_silent(self, gap: int) -> None:
        """Append so many frames of silence, as far as the sound until now allows it."""
        allowed = _LONGEST_SILENCE * self._audio.rate + _SILENCE_FOR_SOUND * self._sound - self._silence
        frames = min(gap, allowed)
        self._wave.writeframesraw(bytes(frames * self._frame_bytes))
        self._silence += frames
        self._missing += gap - frames

    def _gap_before(self, timestamp: int) -> int:
        """Return how many frames are missing before `timestamp`, negative for a late packet."""
        if self._expected is None:
            return 0
        gap = (timestamp - self._expected + _TIMESTAMPS // 2) % _TIMESTAMPS - _TIMESTAMPS // 2
        return gap if abs(gap) <= _LONGEST_SILENCE * self._audio.rate else 0

    def close(self) -> None:
        """Write the final sizes into the header and close the file.

        A signal may have come between samples and their count: what the header does not count is cut off.
        """
        if self._file.closed:
            return
        try:
            self._wave.close()
            self._file.seek(_WAV_SIZE_AT)
            counted = int.from_bytes(self._file.read(_WAV_HEADER - _WAV_SIZE_AT), "little")
            self._file.truncate(_WAV_HEADER + counted)
        finally:
            self._file.close()


class TransportStreamSink:
    """MPEG-2 TS packets one after the other (RFC 2250): whole 188-byte packets only."""

    def __init__(self, path: Path) -> None:
        """Create the file. Raises `UnwritableFile`."""
        self.path = path
        self.left_out: Counter[str] = Counter()
        self.silence_left_out = 0.0
        self._file: BinaryIO = open_in_place(path)

    def start_anew(self) -> None:
        """Nothing is kept from packet to packet."""

    def write(self, packet: RtpPacket, carrier: Datagram) -> None:  # noqa: ARG002  # the port gives it
        """Append the TS packets of one RTP packet."""
        whole = len(packet.payload) // _TS_PACKET * _TS_PACKET
        if whole < len(packet.payload):
            self.left_out[NO_WHOLE_TS_PACKET] += 1
        self._file.write(packet.payload[:whole])

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class PacketSink:
    """Decrypted RTP as a capture, for formats that have no plain file."""

    def __init__(self, path: Path) -> None:
        """Create the file. Raises `UnwritableFile`."""
        self.path = path
        self.left_out: Counter[str] = Counter()
        self.silence_left_out = 0.0
        self._file: BinaryIO = open_in_place(path)
        self._writer = CaptureWriter(self._file)

    def start_anew(self) -> None:
        """Nothing is kept from packet to packet."""

    def write(self, packet: RtpPacket, carrier: Datagram) -> None:
        """Append one packet, at its time and with its addresses."""
        try:
            self._writer.write(replace(carrier, payload=packet.encode()))
        except CaptureError:
            self.left_out[NO_PLACE] += 1

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _swap_samples(samples: bytes) -> bytes:
    """Turn big-endian samples (RFC 3551 clause 4.5.11) into little-endian; an odd byte is dropped."""
    whole = len(samples) // _SAMPLE_BYTES * _SAMPLE_BYTES
    swapped = bytearray(whole)
    swapped[0::2], swapped[1::2] = samples[1:whole:2], samples[0:whole:2]
    return bytes(swapped)


_AUDIO: MappingProxyType[int, AudioFormat] = MappingProxyType(
    {
        PayloadFormat.PCMU: AudioFormat(8_000, 1, decode_mulaw),
        PayloadFormat.PCMA: AudioFormat(8_000, 1, decode_alaw),
        PayloadFormat.L16_STEREO: AudioFormat(44_100, 2, _swap_samples, _SAMPLE_BYTES),
        PayloadFormat.L16_MONO: AudioFormat(44_100, 1, _swap_samples, _SAMPLE_BYTES),
    }
)
"""Static payload types of RFC 3551 clause 6 that become a .wav file."""


def audio_format(payload_type: int) -> AudioFormat | None:
    """Return how the sound of a static payload type is coded; None for what is no sound, or not known here."""
    return _AUDIO.get(payload_type)
