"""Decrypted media on its way to files: one file and one digest per stream."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from host_tools.media.errors import MediaError, OutputError
from host_tools.media.pcap import Datagram, Endpoint
from host_tools.media.rtp import RtpPacket
from host_tools.media.sink import Sink, open_sink

MAX_STREAMS = 64  # a hostile capture must not open files without end


@dataclass(slots=True)
class Stream:
    """One RTP source at one destination: its packets so far, its file, and a SHA-256 over the payloads."""

    destination: Endpoint
    ssrc: int
    sink: Sink | None
    packets: int = 0
    _digest: Any = field(default_factory=hashlib.sha256, repr=False)

    @property
    def digest(self) -> bytes:
        """SHA-256 (32 bytes) over the decrypted payloads in order of arrival."""
        return bytes(self._digest.digest())

    def write(self, packet: RtpPacket, carrier: Datagram) -> None:
        """Take one decrypted packet."""
        self.packets += 1
        self._digest.update(packet.payload)
        if self.sink is not None:
            with _told(self.sink.path):
                self.sink.write(packet, carrier)


class MediaOut:
    """Sorts decrypted packets into streams; with `stem`, each goes to a file `stem-PORT`.

    The first file makes its folder.
    """

    def __init__(self, stem: Path | None = None) -> None:
        self._stem = stem
        self._streams: dict[tuple[Endpoint, int], Stream] = {}

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The streams in order of appearance."""
        return tuple(self._streams.values())

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that were written."""
        return tuple(stream.sink.path for stream in self.streams if stream.sink is not None)

    def write(self, packet: RtpPacket, carrier: Datagram) -> None:
        """Take one decrypted packet. Raises `MediaError` when a file cannot be made."""
        name = (carrier.destination, packet.ssrc)
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = self._open(packet, carrier)
        stream.write(packet, carrier)

    def close(self) -> None:
        """Finish all files."""
        for stream in self.streams:
            if stream.sink is not None:
                with _told(stream.sink.path):
                    stream.sink.close()

    def _open(self, packet: RtpPacket, carrier: Datagram) -> Stream:
        if len(self._streams) >= MAX_STREAMS:
            raise MediaError(f"the capture holds more than {MAX_STREAMS} media streams")
        sink = None if self._stem is None else _new_file(self._path(self._stem, packet, carrier), packet)
        return Stream(carrier.destination, packet.ssrc, sink)

    def _path(self, stem: Path, packet: RtpPacket, carrier: Datagram) -> Path:
        """Return the file's stem: the port tells streams apart, and where it does not, the source does."""
        port = carrier.destination.port
        taken = any(destination.port == port for destination, _ssrc in self._streams)
        suffix = f"-{port}-{packet.ssrc:08x}" if taken else f"-{port}"
        return stem.with_name(stem.name + suffix)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what goes wrong with a file into `OutputError`, which names it."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from None


def _new_file(stem: Path, packet: RtpPacket) -> Sink:
    try:
        stem.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{stem.parent}: cannot be made: {error.strerror}") from None
    return open_sink(stem, packet.payload_type)
