"""Where frames come from beside the melodies: WAV files, anything that ffmpeg reads, and RTP that somebody sends.

A file begins anew at its end. What ffmpeg or a sender does not bring in time is silence: the clock of the broadcast
does not wait.
"""

from __future__ import annotations

import logging
import re
import shutil
import socket
import subprocess
import sys
import threading
import wave
from array import array
from collections import deque
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Final

from card.disk.kinds import SOUND
from card.disk.reading import open_plain
from card.errors import UnusableFile
from host_tools.content.errors import RtpError
from host_tools.content.rtp import PayloadFormat, RtpPacket
from host_tools.content.sinks.g711 import encode_mulaw
from host_tools.content.sinks.tone import SAMPLE_RATE
from host_tools.exchange.errors import TransportError
from host_tools.exchange.transport import Endpoint
from host_tools.headend.bsda.frames import FRAME_SAMPLES, SILENCE, CycleFrames, FrameSource, tone_frames
from host_tools.headend.errors import HeadendError

TONE: Final = "tone"
_RTP = re.compile(r"rtp://([0-9.]{7,15}):([0-9]{1,5})")
_LONGEST_WAV = 600  # seconds: what is longer goes through ffmpeg, which reads as it plays
_FRAMES_AHEAD = 100
_FRAMES_OF_RTP = 50  # a second
_READ = 65_536
_log = logging.getLogger(__name__)


def open_source(text: str, service: str, opened: ExitStack) -> FrameSource:
    """Return what a service plays: `tone`, a file, or `rtp://ADDRESS:PORT` to listen at.

    It is open as long as `opened`. Raises `HeadendError` for a file that cannot be played, `TransportError` for a port
    that cannot be had.
    """
    if text == TONE:
        return tone_frames(service)
    found = _RTP.fullmatch(text)
    if found is not None:
        port = int(found[2])
        if not 0 < port < 65_536:
            raise HeadendError(f"{text}: a port from 1 to 65535 is wanted")
        return opened.enter_context(RtpFrames(Endpoint(found[1], port)))
    return _file(Path(text), opened)


def _file(path: Path, opened: ExitStack) -> FrameSource:
    try:
        with open_plain(path, SOUND) as file:
            head = file.read(12)
    except UnusableFile as error:
        raise HeadendError(str(error)) from None
    if head[:4] == b"RIFF" and head[8:] == b"WAVE":
        frames = wav_frames(path)
        if frames is not None:
            return frames
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        raise HeadendError(f"{path} needs ffmpeg, which is not there; WAV files of up to ten minutes need nothing")
    return opened.enter_context(FfmpegFrames(ffmpeg, path))


def wav_frames(path: Path) -> CycleFrames | None:
    """Return a WAV file of 16-bit samples as frames; None for another kind of samples, or more than ten minutes.

    Raises `HeadendError` for a file that is cut off or empty.
    """
    try:
        with open_plain(path, SOUND) as plain, wave.open(plain, "rb") as file:
            channels, width, rate, count = file.getparams()[:4]
            if width != 2 or not 0 < channels <= 8 or not 0 < rate <= 192_000 or count > _LONGEST_WAV * rate:
                return None
            samples = array("h")
            samples.frombytes(file.readframes(count))
            if len(samples) < count * channels:
                raise EOFError
    except wave.Error:
        return None  # of another format: ffmpeg may know it
    except (EOFError, OSError, ValueError, UnusableFile):
        raise HeadendError(f"{path} is no whole WAV file") from None
    if sys.byteorder == "big":
        samples.byteswap()
    mono = samples[::channels]
    if not mono:
        raise HeadendError(f"{path} holds no sound")
    # The nearest sample in time: plain, and good enough for a test broadcast; ffmpeg does better.
    spoken = [mono[number * rate // SAMPLE_RATE] for number in range(len(mono) * SAMPLE_RATE // rate)] or [mono[0]]
    spoken += [0] * (-len(spoken) % FRAME_SAMPLES)
    return CycleFrames(
        [encode_mulaw(spoken[start : start + FRAME_SAMPLES]) for start in range(0, len(spoken), FRAME_SAMPLES)]
    )


class WaitingFrames:
    """Frames that wait to be played; their number is bounded. `frame` gives silence where none waits.

    `silent` counts how often it did, `foreign` what came and cannot be played.
    """

    def __init__(self, most: int) -> None:
        self._frames: deque[bytes] = deque(maxlen=most)
        self.silent = 0
        self.foreign = 0

    def frame(self, number: int) -> bytes:
        """Return the next frame, whatever its number."""
        del number
        try:
            return self._frames.popleft()
        except IndexError:
            self.silent += 1
            return SILENCE


class FfmpegFrames(WaitingFrames):
    """A file as ffmpeg decodes it, again and again, for the length of a `with` block; silence where ffmpeg ended."""

    def __init__(self, ffmpeg: str, path: Path) -> None:
        """Take the program and the file."""
        super().__init__(_FRAMES_AHEAD)
        # The path is made whole: a name may begin like an option, or like a protocol of ffmpeg's.
        source = f"file:{path.resolve()}"
        rate = ("-f", "mulaw", "-ar", str(SAMPLE_RATE), "-ac", "1", "-vn", "pipe:1")
        self._command = [ffmpeg, "-nostdin", "-loglevel", "error", "-stream_loop", "-1", "-i", source, *rate]
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._room = threading.Semaphore(_FRAMES_AHEAD)
        self._first = threading.Event()
        self._path = path
        self._is_wanted = True

    def __enter__(self) -> FfmpegFrames:
        """Start it. Raises `HeadendError` when it has no sound to give."""
        try:
            self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        except OSError as error:
            raise HeadendError(f"ffmpeg does not start: {error.strerror}") from None
        assert self._process.stdout is not None, "it was asked for"
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()
        try:
            self._first.wait(30)
            if not self._frames:
                raise HeadendError(f"{self._path} has no sound that ffmpeg can play")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        """End it."""
        self._is_wanted = False
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._reader is not None:
            self._room.release()  # it may wait for room
            self._reader.join()

    def frame(self, number: int) -> bytes:
        """Return the next frame."""
        before = self.silent
        found = super().frame(number)
        if self.silent == before:
            self._room.release()
        return found

    def _read(self, pipe: IO[bytes]) -> None:
        with pipe:
            while len(read := pipe.read(FRAME_SAMPLES)) == FRAME_SAMPLES:
                self._room.acquire()
                if not self._is_wanted:
                    return
                self._frames.append(read)
                self._first.set()
        if self._is_wanted and self._first.is_set():
            _log.error("ffmpeg has ended: instead of %s silence is sent", self._path)
        self._first.set()


class RtpFrames(WaitingFrames):
    """RTP that comes in as PCMU, for the length of a `with` block; more than a second of it gives way.

    Packets are played in the order in which they come.
    """

    def __init__(self, place: Endpoint) -> None:
        """Take where to listen."""
        super().__init__(_FRAMES_OF_RTP)
        self._place = place
        self._socket: socket.socket | None = None
        self._rest = b""

    def __enter__(self) -> RtpFrames:
        """Open the port. Raises `TransportError`."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((self._place.address, self._place.port))
        except OSError as error:
            self._socket.close()
            raise TransportError(
                f"port {self._place.port} of {self._place.address} cannot be had: {error.strerror}"
            ) from None
        self._socket.setblocking(False)
        return self

    def __exit__(self, *error: object) -> None:
        """Close the port."""
        if self._socket is not None:
            self._socket.close()

    def frame(self, number: int) -> bytes:
        """Return the next frame that has come."""
        self._receive()
        return super().frame(number)

    def _receive(self) -> None:
        assert self._socket is not None, "it is open"
        for _ in range(_FRAMES_OF_RTP):
            try:
                self._take(self._socket.recv(_READ))
            except OSError:
                return

    def _take(self, datagram: bytes) -> None:
        try:
            packet = RtpPacket.decode(datagram)
        except RtpError:
            self.foreign += 1
            return
        if packet.payload_type != PayloadFormat.PCMU:
            self.foreign += 1
            return
        sound = self._rest + packet.payload
        whole = len(sound) - len(sound) % FRAME_SAMPLES
        self._frames.extend(sound[start : start + FRAME_SAMPLES] for start in range(0, whole, FRAME_SAMPLES))
        self._rest = sound[whole:]
