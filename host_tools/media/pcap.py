"""Captures: pcap and pcapng files to UDP datagrams, and datagrams to pcap files.

dpkt takes packets apart and writes files; `host_tools.media.records` walks files that are read. Whatever is
in a capture, reading ends with what could be read and a report of what could not.
"""

from __future__ import annotations

import ipaddress
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import dpkt

from card.disk.kinds import CAPTURE
from card.disk.reading import open_plain
from host_tools.media.errors import CaptureError
from host_tools.media.records import BrokenRecord, Record, read_records

_RAW_IP = 101  # LINKTYPE_RAW, the number in files; DLT_RAW differs from system to system
_SNAP_LENGTH = 65_535
_MULTICAST_TTL = 32
_IPV6_FRAGMENT = 44


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An IP address as text and a UDP port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Datagram:
    """One UDP datagram: seconds since 1970, from where, to where, payload."""

    timestamp: float
    source: Endpoint
    destination: Endpoint
    payload: bytes


@dataclass(slots=True)
class CaptureReport:
    """What was read so far: packets, UDP datagrams among them, why others were skipped.

    Where the file breaks off, `truncated_at` is the offset (bytes) behind which nothing could be read and
    `problem` says why in words.
    """

    packets: int = 0
    udp: int = 0
    skipped_reasons: Counter[str] = field(default_factory=Counter)
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
            "skipped_reasons": dict(self.skipped_reasons.most_common()),
            "truncated_at": self.truncated_at,
            "problem": self.problem,
        }


class CaptureReader:
    """Yields the UDP datagrams of one capture, once, and fills `report`. Memory use does not grow."""

    def __init__(self, file: BinaryIO, name: str = "capture", size: int = 0) -> None:
        """Take a file at its start, of `size` bytes (0: not known).

        Raises `CaptureError` when it is neither pcap nor pcapng.
        """
        self.report = CaptureReport()
        self._file = file
        self._size = size
        self._records = read_records(file, name)

    def __iter__(self) -> Iterator[Datagram]:
        try:
            for record in self._records:
                datagram = self._sort(record)
                if datagram is not None:
                    yield datagram
        except BrokenRecord as broken:
            self.report.truncated_at, self.report.problem = broken.offset, broken.problem

    @property
    def share(self) -> float:
        """How much of the file was read so far, from 0 to 1; 0 where its size is not known."""
        return min(self._file.tell() / self._size, 1.0) if self._size else 0.0

    def _sort(self, record: Record) -> Datagram | None:
        """Count a frame and return the datagram in it, if there is one."""
        self.report.packets += 1
        try:
            datagram = _dissect(record)
        except _Skipped as skipped:
            self.report.skipped_reasons[str(skipped)] += 1
            return None
        self.report.udp += 1
        return datagram


@contextmanager
def open_capture(path: Path) -> Iterator[CaptureReader]:
    """Open a capture file for the length of a `with` block. Raises `CaptureError`, `UnusableFile`."""
    with open_plain(path, CAPTURE) as file:
        yield CaptureReader(file, path.name, os.fstat(file.fileno()).st_size)


class CaptureWriter:
    """Writes UDP datagrams as a pcap file of raw IP packets with checksums."""

    def __init__(self, file: BinaryIO) -> None:
        """Take a file open for writing; the caller closes it."""
        self._writer = dpkt.pcap.Writer(file, snaplen=_SNAP_LENGTH, linktype=_RAW_IP)

    def write(self, datagram: Datagram) -> None:
        """Append one datagram. Raises `CaptureError` for an address, port or size that does not exist."""
        try:
            packet = bytes(_ip_packet(datagram))
        except (ValueError, OverflowError, dpkt.Error) as error:
            raise CaptureError(f"a datagram to {datagram.destination} cannot be written: {error}") from None
        self._writer.writepkt_time(packet, round(datagram.timestamp, 6))


class _Skipped(Exception):
    """A frame holds no UDP datagram; the text says why."""


def _dissect(record: Record) -> Datagram:
    """Return the datagram in a frame. Raises `_Skipped`."""
    unwrap = _LINK_LAYERS.get(record.link_type)
    if unwrap is None:
        raise _Skipped(f"link type {record.link_type} is not supported")
    try:
        packet = unwrap(record.frame)
        if not isinstance(packet, dpkt.ip.IP | dpkt.ip6.IP6):
            raise _Skipped("not IP")
        return _datagram(record.timestamp, packet)
    except _Skipped:
        raise
    except Exception:
        # dpkt answers hostile bytes with errors of many kinds, and all of them mean the same here.
        raise _Skipped("malformed") from None


def _datagram(timestamp: float, packet: Any) -> Datagram:
    udp = packet.data
    if _is_fragment(packet):
        raise _Skipped("IP fragment")
    if not isinstance(udp, dpkt.udp.UDP):
        raise _Skipped("not UDP")
    size = udp.ulen - 8 if udp.ulen else len(udp.data)
    if not 0 <= size <= len(udp.data):
        raise _Skipped("UDP datagram cut short when captured")
    source, destination = Endpoint(_host(packet.src), udp.sport), Endpoint(_host(packet.dst), udp.dport)
    return Datagram(timestamp, source, destination, bytes(udp.data[:size]))


def _is_fragment(packet: Any) -> bool:
    if isinstance(packet, dpkt.ip.IP):
        return bool(packet.mf or packet.offset)
    return _IPV6_FRAGMENT in packet.extension_hdrs


@lru_cache(maxsize=256)
def _host(address: bytes) -> str:
    return str(ipaddress.ip_address(address))


def _raw_ip(frame: bytes) -> object:
    match frame[0] >> 4:
        case 4:
            return dpkt.ip.IP(frame)
        case 6:
            return dpkt.ip6.IP6(frame)
        case _:
            return frame


def _ethernet(frame: bytes) -> object:
    return dpkt.ethernet.Ethernet(frame).data


def _loopback(frame: bytes) -> object:
    return _raw_ip(frame[4:])


def _cooked(frame: bytes) -> object:
    return dpkt.sll.SLL(frame).data


def _cooked_v2(frame: bytes) -> object:
    return dpkt.sll2.SLL2(frame).data


_LINK_LAYERS: MappingProxyType[int, Callable[[bytes], object]] = MappingProxyType(
    {
        0: _loopback,
        1: _ethernet,
        12: _raw_ip,
        14: _raw_ip,
        _RAW_IP: _raw_ip,
        108: _loopback,
        113: _cooked,
        228: _raw_ip,
        229: _raw_ip,
        276: _cooked_v2,
    }
)
"""LINKTYPE number to what takes the frame's link layer off."""


def _ip_packet(datagram: Datagram) -> Any:
    source, destination = (ipaddress.ip_address(end.host) for end in (datagram.source, datagram.destination))
    if source.version != destination.version:
        raise ValueError("source and destination are of different IP versions")
    udp = dpkt.udp.UDP(sport=datagram.source.port, dport=datagram.destination.port, ulen=8 + len(datagram.payload))
    udp.data = datagram.payload
    if source.version == 4:
        return dpkt.ip.IP(
            src=source.packed, dst=destination.packed, p=dpkt.ip.IP_PROTO_UDP, ttl=_MULTICAST_TTL, data=udp
        )
    return dpkt.ip6.IP6(
        src=source.packed,
        dst=destination.packed,
        nxt=dpkt.ip.IP_PROTO_UDP,
        p=dpkt.ip.IP_PROTO_UDP,
        hlim=_MULTICAST_TTL,
        plen=udp.ulen,
        data=udp,
    )
