"""Recorded content in one file: the media as they came, still encrypted, with the STKMs that open them.

The file is a ZIP archive of three members, none compressed, so that anything can take it apart:

- `media.pcap`: the protected packets,
- `stkm.pcap`: the STKM track, every different STKM once,
- `index.json`: content ID, times, protection of the media, and which SEKs with which STKM timestamps are needed.

It holds no key. The STKM track that OMA puts beside the adapted PDCF has no public description, so the form is ours.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, BinaryIO, cast

from card.disk.kinds import RECORDING
from card.disk.reading import open_plain
from card.errors import DecodeError, UnusableFile
from host_tools.content.captures.pcap import CaptureReader, CaptureWriter, Datagram
from host_tools.content.containers.index import RecordedSpan, RecordingIndex, check_content_id
from host_tools.content.containers.stkm_track import NamedTrack, StkmTrack, TimedTrack, TrackStkm
from host_tools.content.errors import MediaError, OutputError
from host_tools.content.protection import PacketFormat
from host_tools.content.registry import Protections
from host_tools.content.stkm_name import StkmName
from host_tools.files.writing import UnwritableFile, whole_file

MEDIA, STKMS, INDEX = "media.pcap", "stkm.pcap", "index.json"
MOST_STKMS = 65_536
MOST_TRACK = 1 << 26
"""Bytes of the STKM track, which is kept in memory."""
_LARGEST_INDEX = 1 << 20
_LARGEST_PIECE = 1 << 24


class RecordingError(MediaError):
    """A file is no recording, or is damaged, or cannot be written."""


class RecordingWriter:
    """Takes datagrams as they come and sorts out what belongs into a recording.

    Time does not run backwards in a recording, as it may in a capture: a datagram is never older than the one before.
    """

    def __init__(
        self,
        media: IO[bytes],
        content_id: str,
        stkm_port: int,
        media_ports: frozenset[int] = frozenset(),
        *,
        protection: PacketFormat,
    ) -> None:
        """Write media to `media` at once; the STKM track stays in memory.

        Without `media_ports`, whatever may be of the protection is media.
        """
        self._media = CaptureWriter(cast("BinaryIO", media))
        self._track = io.BytesIO()
        self._stkms = CaptureWriter(self._track)
        self._seen: set[bytes] = set()
        self._spans: dict[bytes, RecordedSpan] = {}
        self._times: tuple[float, float] | None = None
        self._now = 0.0
        self._packets = 0
        self._content_id = check_content_id(content_id)
        self._stkm_port = stkm_port
        self._media_ports = media_ports
        self._protection = protection

    def take(self, datagram: Datagram) -> None:
        """Record a datagram, or leave it. Raises `RecordingError` when there are too many STKMs, `CaptureError`."""
        self._now = max(self._now, datagram.timestamp)
        if datagram.timestamp < self._now:
            datagram = replace(datagram, timestamp=self._now)
        if datagram.destination.port == self._stkm_port:
            self._take_stkm(datagram)
        elif self._is_media(datagram):
            begins = self._times[0] if self._times else datagram.timestamp
            self._times = begins, datagram.timestamp
            self._packets += 1
            self._media.write(datagram)

    @property
    def track(self) -> bytes:
        """The STKM track so far, as a capture."""
        return self._track.getvalue()

    def index(self) -> RecordingIndex:
        """Return the index of what was recorded so far."""
        times = self._times or (0.0, 0.0)
        spans = tuple(self._spans.values())
        return RecordingIndex(self._content_id, *times, len(self._seen), self._packets, spans, self._protection)

    def _take_stkm(self, datagram: Datagram) -> None:
        try:
            heading = StkmName.decode(datagram.payload)
        except DecodeError:
            return
        digest = hashlib.sha256(datagram.payload).digest()
        if digest in self._seen:
            return
        if len(self._seen) >= MOST_STKMS or self._track.tell() > MOST_TRACK:
            raise RecordingError(f"a recording holds at most {MOST_STKMS} STKMs of {MOST_TRACK} bytes in all")
        self._seen.add(digest)
        self._stkms.write(datagram)
        ids, at = heading.ids, heading.timestamp
        name = ids.key_domain_id + ids.msk_id
        span = self._spans.get(name) or RecordedSpan(ids.key_domain_id, ids.msk_id, at, at)
        self._spans[name] = replace(span, first_ts=min(span.first_ts, at), last_ts=max(span.last_ts, at))

    def _is_media(self, datagram: Datagram) -> bool:
        wanted = not self._media_ports or datagram.destination.port in self._media_ports
        return wanted and self._protection.belongs(datagram)


@contextmanager
def record_to(
    path: Path,
    content_id: str,
    stkm_port: int,
    media_ports: frozenset[int] = frozenset(),
    *,
    protection: PacketFormat,
) -> Iterator[RecordingWriter]:
    """Write a recording that appears under its name only when the block ends well. Raises `OutputError`."""
    try:
        with whole_file(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            with archive.open(MEDIA, "w", force_zip64=True) as media:
                writer = RecordingWriter(media, content_id, stkm_port, media_ports, protection=protection)
                yield writer
            # A member without a time of its own, so that the same content gives the same file.
            archive.writestr(zipfile.ZipInfo(STKMS), writer.track)
            archive.writestr(zipfile.ZipInfo(INDEX), writer.index().to_json())
    except UnwritableFile as error:
        raise OutputError(str(error)) from None


class RecordedContent:
    """A recording that is read. Media are streamed; of the STKM track the first STKM of each TEK is kept.

    Media that name their TEK get its STKM. Others get each STKM when its time has come, and where a piece begins later
    than that, of each service the newest only: what the card need not see, nobody has to pay.
    """

    def __init__(self, archive: zipfile.ZipFile, name: str, protections: Protections) -> None:
        """Take an open archive; its media are under one of the `protections`. Raises `RecordingError`."""
        self.protections = protections
        self._archive = archive
        self._name = name
        with self._readable():
            self.index = RecordingIndex.parse(self._read(INDEX, _LARGEST_INDEX).decode(), protections)
            self._stkms = self._read_track()

    @property
    def duration(self) -> float:
        """Seconds from the first to the last media packet."""
        return max(self.index.ends - self.index.begins, 0.0)

    def datagrams(
        self,
        start: float = 0.0,
        end: float | None = None,
        port: int | None = None,
        protection: PacketFormat | None = None,
    ) -> Iterator[Datagram]:
        """Yield media from `start` to before `end` (seconds into the recording), each STKM before it is needed.

        `port` picks one media port, `protection` is that of the media where it is not what the index says. Raises
        `RecordingError` where the file is damaged.
        """
        begins, track, at = self.index.begins, self._track(protection or self.index.protection, start), 0.0
        with self._readable(), self._archive.open(self._member(MEDIA)) as file:
            for datagram in _whole(CaptureReader(cast("BinaryIO", file), self._name), MEDIA):
                at = max(at, datagram.timestamp - begins)
                if end is not None and at >= end:
                    break
                if at < start or (port is not None and datagram.destination.port != port):
                    continue
                for stkm in track.needed(datagram):
                    yield replace(stkm, timestamp=datagram.timestamp)
                yield datagram

    def _track(self, protection: PacketFormat, start: float) -> StkmTrack:
        if protection.names_key:
            return NamedTrack(self._stkms, protection)
        return TimedTrack(self._stkms.values(), self.index.begins + start if start else -math.inf)

    def _read_track(self) -> dict[bytes, TrackStkm]:
        found: dict[bytes, TrackStkm] = {}
        with self._archive.open(self._member(STKMS)) as file:
            left = MOST_TRACK
            for number, datagram in enumerate(_whole(CaptureReader(cast("BinaryIO", file), self._name), STKMS)):
                left -= len(datagram.payload)
                if number >= MOST_STKMS or left < 0:
                    raise ValueError(f"it holds more than {MOST_STKMS} STKMs, or more than {MOST_TRACK} bytes of them")
                try:
                    name = StkmName.decode(datagram.payload)
                except DecodeError:
                    continue
                service = name.ids.key_domain_id + name.ids.key_group
                found.setdefault(name.key_name, TrackStkm(service, datagram))
        return found

    def _read(self, member: str, most: int) -> bytes:
        info = self._member(member)
        if info.file_size > most:
            raise ValueError(f"{member} is larger than {most} bytes")
        return self._archive.read(info)

    def _member(self, member: str) -> zipfile.ZipInfo:
        info = self._archive.NameToInfo.get(member)
        if info is None or info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            raise ValueError(f"{member} is missing, compressed or encrypted")
        if info.compress_size != info.file_size:
            # Whoever believed the larger one would make room for it before reading.
            raise ValueError(f"{member} has two sizes, {info.file_size} and {info.compress_size} bytes")
        return info

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except RecordingError:
            raise
        except (ValueError, zipfile.BadZipFile, EOFError, NotImplementedError, OSError, RecursionError) as error:
            raise RecordingError(f"{self._name} is no recording, or is damaged: {error}") from None
        except MediaError as error:
            raise RecordingError(f"{self._name} is no recording, or is damaged: {error}") from None


def _whole(capture: CaptureReader, member: str) -> Iterator[Datagram]:
    """Yield what a member holds. Raises `ValueError` in the end where it breaks off."""
    yield from capture
    if not capture.report.is_whole:
        raise ValueError(f"{member}: {capture.report}")


@contextmanager
def open_recording(path: Path, protections: Protections) -> Iterator[RecordedContent]:
    """Open a recording for the length of a `with` block. Raises `RecordingError`."""
    try:
        plain = open_plain(path, RECORDING)
    except UnusableFile as error:
        raise RecordingError(str(error)) from None
    with _Piecemeal(plain.detach()) as file:
        try:
            archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, struct.error) as error:
            raise RecordingError(f"{path.name} is no recording: {error}") from None
        with archive:
            yield RecordedContent(archive, path.name, protections)


class _Piecemeal(io.BufferedReader):
    """A file that refuses to be read in large pieces: the directory of an archive may claim any size."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Return up to `size` bytes. Raises `ValueError` for more than a recording has in one piece."""
        left = os.fstat(self.fileno()).st_size - self.tell()
        if min(left, left if size is None or size < 0 else size) > _LARGEST_PIECE:
            raise ValueError("its directory is too large")
        return super().read(size)
