"""Captures: pcap and pcapng files to UDP datagrams, and datagrams to pcap files.

`records` walks the files, `link_layers` and `datagrams` take frames apart, `ip_packets` makes those that are written.
Whatever is in a capture, reading ends with what could be read and a report of what could not.
"""

from __future__ import annotations

import os
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from card.disk.kinds import CAPTURE
from card.disk.reading import open_plain
from host_tools.content.captures.datagrams import Datagram, Endpoint, IsFragment, find_datagram, find_usual_datagram
from host_tools.content.captures.fragments import Reassembler
from host_tools.content.captures.ip_packets import udp_packet
from host_tools.content.captures.link_layers import ANY_IP, RAW_IP, LeftOut, Payload, take_off_link_layer
from host_tools.content.captures.records import BrokenRecord, FrameFile
from host_tools.content.errors import CaptureError

__all__ = ["CaptureReader", "CaptureReport", "CaptureWriter", "Datagram", "Endpoint", "open_capture"]

_MAGIC = 0xA1B2C3D4  # of a file with microseconds
_FILE_HEADER = struct.Struct("<IHHiIII")  # magic, version, time zone, accuracy, longest packet, link type
_RECORD_HEADER = struct.Struct("<IIII")  # seconds, microseconds, bytes in the file, bytes on the wire
_SNAP_LENGTH = 65_535
_END_OF_PCAP = (1 << 32) - 1  # seconds since 1970, in the year 2106
_MOST_REASONS = 64  # told apart; a hostile capture could name 65,536 link types
_LONELY = "IP fragment without the others"
_ANY_OTHER = "for other reasons"


@dataclass(slots=True)
class CaptureReport:
    """What was read so far: packets, UDP datagrams among them, why others were skipped.

    `joined` counts fragments that were added to another one, `tunnels` the datagrams that were taken out of one, by its
    name; `other_blocks` what a pcapng file holds beside packets. Where the file breaks off, `truncated_at` is the
    offset (bytes) behind which nothing could be read and `problem` says why in words.
    """

    packets: int = 0
    udp: int = 0
    joined: int = 0
    skipped_reasons: Counter[str] = field(default_factory=Counter)
    tunnels: Counter[str] = field(default_factory=Counter)
    other_blocks: Counter[str] = field(default_factory=Counter)
    truncated_at: int | None = None
    problem: str | None = None

    def __str__(self) -> str:
        parts = [f"{self.packets} packets read, {self.udp} of them UDP"]
        parts += [f"{count} skipped ({reason})" for reason, count in self.skipped_reasons.most_common()]
        if self.truncated_at is not None:
            parts.append(f"unreadable from byte {self.truncated_at} on ({self.problem})")
        return ", ".join(parts)

    @property
    def is_whole(self) -> bool:
        """Whether the file could be read to its end."""
        return self.truncated_at is None

    def as_dict(self) -> dict[str, object]:
        """Return everything by name, ready for JSON."""
        return {
            "packets": self.packets,
            "udp": self.udp,
            "joined": self.joined,
            "skipped_reasons": dict(self.skipped_reasons.most_common()),
            "tunnels": dict(self.tunnels.most_common()),
            "other_blocks": dict(self.other_blocks.most_common()),
            "truncated_at": self.truncated_at,
            "problem": self.problem,
        }


class CaptureReader:
    """Yields the UDP datagrams of one capture, once, and fills `report`. Memory use does not grow."""

    def __init__(self, file: BinaryIO, name: str = "capture", size: int = 0) -> None:
        """Take a file at its start, of `size` bytes (0: not known).

        Raises `CaptureError` when it is neither pcap nor pcapng.
        """
        self._frames = FrameFile(file, name)
        self.report = CaptureReport(other_blocks=self._frames.other_blocks)
        self.interface = ""
        """Name of the interface at which the newest datagram was captured, if it has one."""
        self._size = size
        self._fragments = Reassembler()

    def __iter__(self) -> Iterator[Datagram]:
        report = self.report
        try:
            for timestamp, link_type, frame, interface in self._frames:
                report.packets += 1
                datagram = find_usual_datagram(timestamp, link_type, frame) or self._look_closer(
                    timestamp, link_type, frame
                )
                if datagram is None:
                    continue
                report.udp += 1
                self.interface = interface
                yield datagram
        except BrokenRecord as broken:
            report.truncated_at, report.problem = broken.offset, broken.problem
        self._fragments.end()
        self._count_fragments()

    @property
    def share(self) -> float:
        """How much of the file was read so far, from 0 to 1; 0 where its size is not known."""
        return min(self._frames.position / self._size, 1.0) if self._size else 0.0

    def _look_closer(self, timestamp: float, link_type: int, frame: bytes) -> Datagram | None:
        """Return the datagram in a frame of any kind, or None, and count its tunnels, or why there is none."""
        try:
            found = self._dissect(timestamp, frame, take_off_link_layer(link_type, frame))
        except LeftOut as reason:
            words, counted = str(reason), self.report.skipped_reasons
            counted[words if words in counted or len(counted) < _MOST_REASONS else _ANY_OTHER] += 1
            return None
        if found is None:
            return None
        datagram, tunnels = found
        for name in tunnels:
            self.report.tunnels[name] += 1
        return datagram

    def _dissect(self, timestamp: float, frame: bytes, carried: Payload) -> tuple[Datagram, tuple[str, ...]] | None:
        """Return the datagram in a frame and its tunnels; None where only a fragment is there so far."""
        try:
            return find_datagram(timestamp, frame, carried)
        except IsFragment as found:
            whole = self._fragments.put(found.fragment)
            self._count_fragments()
            if whole is None:
                return None
            # In one piece it is no fragment any more; what it carries may be.
            return self._dissect(timestamp, whole, Payload(ANY_IP, 0, found.tunnels))

    def _count_fragments(self) -> None:
        self.report.joined = self._fragments.joined
        if self._fragments.given_up:
            self.report.skipped_reasons[_LONELY] = self._fragments.given_up


@contextmanager
def open_capture(path: Path) -> Iterator[CaptureReader]:
    """Open a capture file for the length of a `with` block. Raises `CaptureError`, `UnusableFile`."""
    with open_plain(path, CAPTURE) as file:
        yield CaptureReader(file, path.name, os.fstat(file.fileno()).st_size)


class CaptureWriter:
    """Writes UDP datagrams as a pcap file of raw IP packets with checksums."""

    def __init__(self, file: BinaryIO, block: int = 0) -> None:
        """Take a file open for writing, which the caller closes.

        Each datagram is written at once; with `block` so many bytes are gathered before, and `flush` ends it.
        """
        self._file = file
        self._block = block
        self._gathered = bytearray()
        file.write(_FILE_HEADER.pack(_MAGIC, 2, 4, 0, 0, _SNAP_LENGTH, RAW_IP))

    def write(self, datagram: Datagram) -> None:
        """Append one datagram. Raises `CaptureError` for an address, port, size or time that the file cannot hold."""
        if not 0 <= datagram.timestamp < _END_OF_PCAP:
            raise CaptureError(f"a datagram to {datagram.destination} cannot be written: pcap ends with the year 2105")
        packet = udp_packet(datagram)
        seconds, microseconds = divmod(round(datagram.timestamp * 1_000_000), 1_000_000)
        size, gathered = len(packet), self._gathered
        gathered += _RECORD_HEADER.pack(seconds, microseconds, size, size)
        gathered += packet
        if len(gathered) >= self._block:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered."""
        written, self._gathered = self._gathered, bytearray()
        self._file.write(written)
