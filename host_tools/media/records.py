"""Frames out of capture files: classic pcap and pcapng (IETF drafts draft-ietf-opsawg-pcap and -pcapng).

dpkt's readers pass a cut-off packet on as if it were whole, believe any length a file claims, and know only
the first interface of a pcapng file. A capture comes from outside, so the files are walked here: every length
is checked, every interface keeps its own link type and clock, and the place where a file breaks off is known
to the byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import BinaryIO, Literal

from host_tools.media.errors import CaptureError

_Order = Literal["little", "big"]

# Magic number to byte order, ticks per second, size of a packet header (the modified format adds eight
# bytes).
_CLASSIC: MappingProxyType[bytes, tuple[_Order, int, int]] = MappingProxyType(
    {
        bytes.fromhex("d4c3b2a1"): ("little", 1_000_000, 16),
        bytes.fromhex("a1b2c3d4"): ("big", 1_000_000, 16),
        bytes.fromhex("4d3cb2a1"): ("little", 1_000_000_000, 16),
        bytes.fromhex("a1b23c4d"): ("big", 1_000_000_000, 16),
        bytes.fromhex("34cdb2a1"): ("little", 1_000_000, 24),
        bytes.fromhex("a1b2cd34"): ("big", 1_000_000, 24),
    }
)
_CLASSIC_HEADER = 24
_MAX_FRAME = 262_144  # what libpcap itself captures at most

_SECTION_MAGIC = bytes.fromhex("0a0d0d0a")
_INTERFACE, _PACKET, _ENHANCED_PACKET = 1, 2, 6
_BYTE_ORDER_MARK = 0x1A2B3C4D
_OPTION_RESOLUTION, _OPTION_OFFSET = 9, 14
_SMALLEST_BLOCK = 12
_MAX_BLOCK = 1 << 24
_MAX_INTERFACES = 1024
_END_OF_TIME = 1 << 32  # seconds since 1970: what fits the header of a packet in a pcap file


@dataclass(frozen=True, slots=True)
class Record:
    """One captured frame: seconds since 1970, link type (LINKTYPE number), bytes."""

    timestamp: float
    link_type: int
    frame: bytes


class BrokenRecord(Exception):
    """A file is cut off or contradicts itself at `offset` (bytes); nothing from there on can be trusted."""

    def __init__(self, offset: int, problem: str) -> None:
        super().__init__(f"{problem} at byte {offset}")
        self.offset = offset
        self.problem = problem


def read_records(file: BinaryIO, name: str) -> Iterator[Record]:
    """Return an iterator over the frames of a file that is read from its start.

    Raises `CaptureError` at once when it is no capture. The iterator raises `BrokenRecord` where the file
    breaks off, after every whole frame before that place.
    """
    source = _Source(file)
    magic = file.read(4)
    source.position = len(magic)
    if magic == _SECTION_MAGIC:
        return _pcapng_records(source)
    if magic in _CLASSIC:
        return _classic_records(source, magic, name)
    found = f"it starts with {magic.hex(' ')}" if magic else "it is empty"
    raise CaptureError(f"{name} is neither a pcap nor a pcapng file: {found}")


class _Source:
    """A file read forward, which knows its position and refuses to come up short."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.position = 0
        self.record_start = 0

    def take(self, count: int) -> bytes:
        """Return exactly `count` bytes. Raises `BrokenRecord`."""
        data = self._file.read(count)
        self.position += len(data)
        if len(data) < count:
            raise self.broken("cut off inside a packet")
        return data

    def start_record(self, count: int) -> bytes | None:
        """Return the first `count` bytes of the next record, or `None` at the end of the file."""
        self.record_start = self.position
        first = self._file.read(1)
        self.position += len(first)
        return first + self.take(count - 1) if first else None

    def broken(self, problem: str) -> BrokenRecord:
        return BrokenRecord(self.record_start, problem)


def _classic_records(source: _Source, magic: bytes, name: str) -> Iterator[Record]:
    order, ticks, head_size = _CLASSIC[magic]
    try:
        header = source.take(_CLASSIC_HEADER - len(magic))
    except BrokenRecord:
        raise CaptureError(f"{name} ends inside its pcap file header") from None
    # The upper bits of the field hold the length of a frame check sequence, not the type.
    link_type = int.from_bytes(header[16:20], order) & 0xFFFF
    return _classic_packets(source, order, ticks, head_size, link_type)


def _classic_packets(source: _Source, order: _Order, ticks: int, head_size: int, link_type: int) -> Iterator[Record]:
    while head := source.start_record(head_size):
        seconds, fraction, size = (int.from_bytes(head[at : at + 4], order) for at in (0, 4, 8))
        if size > _MAX_FRAME:
            raise source.broken(f"a packet that claims {size} bytes")
        yield Record(seconds + fraction / ticks, link_type, source.take(size))


@dataclass(frozen=True, slots=True)
class _Interface:
    """Where packets were captured: link type, ticks per second of its clock, offset in seconds."""

    link_type: int
    ticks: int = 1_000_000
    offset: int = 0


def _pcapng_records(source: _Source) -> Iterator[Record]:
    order: _Order = "little"
    interfaces: list[_Interface] = []
    head: bytes | None = _SECTION_MAGIC + source.take(4)
    while head:
        if head[:4] == _SECTION_MAGIC:
            mark = source.take(4)
            order, interfaces, head = _section_order(source, mark), [], head + mark
        kind, body = _read_block(source, head, order)
        if kind == _INTERFACE:
            interfaces.append(_interface(source, body, order))
        elif kind in (_PACKET, _ENHANCED_PACKET):
            yield _packet(source, kind, body, order, interfaces)
        if len(interfaces) > _MAX_INTERFACES:
            raise source.broken(f"more than {_MAX_INTERFACES} interfaces")
        head = source.start_record(8)


def _section_order(source: _Source, mark: bytes) -> _Order:
    if int.from_bytes(mark, "little") == _BYTE_ORDER_MARK:
        return "little"
    if int.from_bytes(mark, "big") == _BYTE_ORDER_MARK:
        return "big"
    raise source.broken("a section without a byte order mark")


def _read_block(source: _Source, head: bytes, order: _Order) -> tuple[int, bytes]:
    """Return kind and body of the block whose first bytes are `head`; the body lacks those."""
    kind, size = int.from_bytes(head[:4], order), int.from_bytes(head[4:8], order)
    if not max(_SMALLEST_BLOCK, len(head) + 4) <= size <= _MAX_BLOCK or size % 4:
        raise source.broken(f"a block that claims {size} bytes")
    return kind, source.take(size - len(head))[:-4]


def _interface(source: _Source, body: bytes, order: _Order) -> _Interface:
    if len(body) < 8:
        raise source.broken("an interface description that is too short")
    ticks, offset = 1_000_000, 0
    for code, value in _options(body[8:], order):
        if code == _OPTION_RESOLUTION and len(value) == 1:
            ticks = (2 if value[0] & 0x80 else 10) ** (value[0] & 0x7F)
        elif code == _OPTION_OFFSET and len(value) == 8:
            offset = int.from_bytes(value, order, signed=True)
    return _Interface(int.from_bytes(body[:2], order), ticks, offset)


def _options(data: bytes, order: _Order) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position + 4 <= len(data):
        code, size = (int.from_bytes(data[at : at + 2], order) for at in (position, position + 2))
        yield code, data[position + 4 : position + 4 + size]
        position += 4 + size + -size % 4


def _packet(source: _Source, kind: int, body: bytes, order: _Order, interfaces: list[_Interface]) -> Record:
    # The obsolete packet block has two bytes of interface number and two of drop count, the enhanced one
    # four.
    number = int.from_bytes(body[:2] if kind == _PACKET else body[:4], order)
    size = int.from_bytes(body[12:16], order)
    if len(body) < 20 or number >= len(interfaces) or size > len(body) - 20:
        raise source.broken("a packet block that contradicts itself")
    interface = interfaces[number]
    ticks = int.from_bytes(body[4:8], order) << 32 | int.from_bytes(body[8:12], order)
    timestamp = interface.offset + ticks / interface.ticks
    if not 0 <= timestamp < _END_OF_TIME:
        raise source.broken("a packet from a time that no capture can tell")
    return Record(timestamp, interface.link_type, body[20 : 20 + size])
