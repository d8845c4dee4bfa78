"""Decrypted media on its way to files: in order of its sequence numbers, one file and one digest per stream."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from host_tools.content.captures.pcap import Datagram, Endpoint
from host_tools.content.errors import MediaError, OutputError
from host_tools.content.rtp import RtpPacket
from host_tools.content.sinks.jitter import InOrder, JitterBuffer
from host_tools.content.sinks.sink import TOO_LATE, Sink, open_sink
from host_tools.files.clash import ReadFiles

MAX_STREAMS = 64  # a hostile capture must not open files without end
FURTHER_STREAMS = f"of more than {MAX_STREAMS} streams"


@dataclass(slots=True)
class Stream:
    """One payload type of one RTP source at one destination: its packets so far, its file, a SHA-256 over the payloads.

    A source may change its payload type from packet to packet (RFC 3550 clause 5.1); each is a format of its own.
    """

    destination: Endpoint
    ssrc: int
    payload_type: int
    sink: Sink | None
    packets: int = 0
    _digest: Any = field(default_factory=hashlib.sha256, repr=False)

    @property
    def digest(self) -> bytes:
        """SHA-256 (32 bytes) over the decrypted payloads in their order."""
        return bytes(self._digest.digest())

    def start_anew(self) -> None:
        """The next packet has nothing to do with the one before."""
        if self.sink is not None:
            self.sink.start_anew()

    def write(self, packet: RtpPacket, carrier: Datagram) -> None:
        """Take one decrypted packet."""
        self.packets += 1
        self._digest.update(packet.payload)
        if self.sink is not None:
            try:
                self.sink.write(packet, carrier)
            except OSError as error:
                raise _told(self.sink.path, error) from None

    def close(self) -> None:
        """Finish the file. Raises `OutputError`."""
        if self.sink is not None:
            try:
                self.sink.close()
            except OSError as error:
                raise _told(self.sink.path, error) from None


@dataclass(slots=True)
class _Source:
    """The packets of one source on their way, and its streams by payload type."""

    buffer: JitterBuffer[tuple[RtpPacket, Datagram]] = field(default_factory=JitterBuffer)
    streams: dict[int, Stream] = field(default_factory=dict)


class MediaOut:
    """Sorts decrypted packets into streams; with `stem`, each goes to a file `stem-PORT`.

    A file that is `read` is never written over. The first file makes its folder. Behind `flush` or `close`, everything
    that was taken is in its stream.
    """

    def __init__(self, stem: Path | None = None, read: Iterable[Path | None] = ()) -> None:
        self._stem = stem
        self._read = ReadFiles(read)
        self._sources: dict[tuple[Endpoint, int], _Source] = {}
        self._streams: list[Stream] = []
        self._further = 0

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The streams in order of appearance, at most 64."""
        return tuple(self._streams)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that were written."""
        return tuple(stream.sink.path for stream in self._streams if stream.sink is not None)

    @property
    def left_out(self) -> Counter[str]:
        """Decrypted packets that are not in a stream or not whole in its file, by reason."""
        found = Counter({FURTHER_STREAMS: self._further, TOO_LATE: sum(s.buffer.late for s in self._sources.values())})
        for stream in self._streams:
            if stream.sink is not None:
                found.update(stream.sink.left_out)
        return +found

    @property
    def silence_left_out(self) -> dict[Path, float]:
        """Seconds of silence that a file lacks, by file: there was too little sound for so much."""
        sinks = (stream.sink for stream in self._streams)
        return {sink.path: sink.silence_left_out for sink in sinks if sink is not None and sink.silence_left_out}

    def write(self, packet: RtpPacket, carrier: Datagram) -> None:
        """Take one decrypted packet. Raises `MediaError` when a file cannot be made."""
        name = (carrier.destination, packet.ssrc)
        source = self._sources.get(name)
        if source is None:
            if len(self._sources) >= MAX_STREAMS:
                self._further += 1
                return
            source = self._sources[name] = _Source()
        if source.buffer.passes(packet.sequence):
            stream = source.streams.get(packet.payload_type)
            if stream is None:
                self._write(source, packet, carrier)
            else:
                stream.write(packet, carrier)
            return
        # A file of packets has the decrypted payload; the other one need not wait with it.
        waiting = packet, Datagram(carrier.timestamp, carrier.source, carrier.destination, b"")
        self._hand_on(source, source.buffer.put(packet.sequence, waiting))

    def flush(self) -> None:
        """Hand on what waits for its turn. What comes then is a new start, also where it is older."""
        for source in self._sources.values():
            self._hand_on(source, source.buffer.drain())

    def close(self) -> None:
        """Finish all files, also where one cannot be. Raises `MediaError`: the first that went wrong."""
        failed: list[MediaError] = []
        try:
            for source in self._sources.values():
                with _kept(failed):
                    self._hand_on(source, source.buffer.drain())
        finally:
            for stream in self._streams:
                with _kept(failed):
                    stream.close()
        if failed:
            raise failed[0]

    def _hand_on(self, source: _Source, ordered: Iterable[InOrder[tuple[RtpPacket, Datagram]]]) -> None:
        for found in ordered:
            packet, carrier = found.item
            if found.anew:
                for stream in source.streams.values():
                    stream.start_anew()
            self._write(source, packet, carrier)

    def _write(self, source: _Source, packet: RtpPacket, carrier: Datagram) -> None:
        known = source.streams.get(packet.payload_type) or self._open(source, packet, carrier)
        if known is None:
            self._further += 1
        else:
            known.write(packet, carrier)

    def _open(self, source: _Source, packet: RtpPacket, carrier: Datagram) -> Stream | None:
        """Make the stream of a payload type, with its file; None when there are enough."""
        if len(self._streams) >= MAX_STREAMS:
            return None
        sink = None if self._stem is None else self._new_file(self._path(self._stem, source, packet, carrier), packet)
        stream = Stream(carrier.destination, packet.ssrc, packet.payload_type, sink)
        source.streams[packet.payload_type] = stream
        self._streams.append(stream)
        return stream

    def _path(self, stem: Path, source: _Source, packet: RtpPacket, carrier: Datagram) -> Path:
        """Return the file's stem: the port tells streams apart; where it does not, source and payload type do."""
        port = carrier.destination.port
        parts = [f"-{port}"]
        if any(stream.destination.port == port for stream in self._streams):
            parts.append(f"-{packet.ssrc:08x}")
        if source.streams:
            parts.append(f"-pt{packet.payload_type}")
        path = stem.with_name(stem.name + "".join(parts))
        taken = any(stream.sink is not None and stream.sink.path.stem == path.name for stream in self._streams)
        return path.with_name(f"{path.name}-{len(self._streams)}") if taken else path

    def _new_file(self, stem: Path, packet: RtpPacket) -> Sink:
        try:
            stem.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError(f"{stem.parent}: cannot be made: {error.strerror}") from None
        return open_sink(stem, packet.payload_type, self._read)


@contextmanager
def _kept(failed: list[MediaError]) -> Iterator[None]:
    """Keep an error for later."""
    try:
        yield
    except MediaError as error:
        failed.append(error)


def _told(path: Path, error: OSError) -> OutputError:
    """Return what went wrong with a file, named."""
    return OutputError(f"{path}: cannot be written: {error.strerror}")
