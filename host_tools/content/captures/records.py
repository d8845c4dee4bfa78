"""Frames out of capture files: classic pcap and pcapng (IETF drafts draft-ietf-opsawg-pcap and -pcapng).

dpkt's readers pass a cut-off packet on as if it were whole, believe any length a file claims, and know only
the first interface of a pcapng file. A capture comes from outside, so the files are walked here: every length
is checked, every interface keeps its own link type and clock, and the place where a file breaks off is known
to the byte.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import BinaryIO, Literal

from card.lean import lean_dataclass
from host_tools.content.errors import CaptureError

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
_CUT_OFF = "cut off inside a packet"
_MAX_FRAME = 262_144  # what libpcap itself captures at most

_SECTION_MAGIC = bytes.fromhex("0a0d0d0a")
_INTERFACE, _PACKET, _SIMPLE_PACKET, _ENHANCED_PACKET = 1, 2, 3, 6
_SECTION = int.from_bytes(_SECTION_MAGIC, "big")  # reads the same in both byte orders
_BYTE_ORDER_MARK = 0x1A2B3C4D
_OPTION_NAME, _OPTION_RESOLUTION, _OPTION_OFFSET = 2, 9, 14
_LONGEST_NAME = 256
_SMALLEST_BLOCK = 12
_MAX_BLOCK = 1 << 24
_MAX_INTERFACES = 1024
END_OF_TIME = 253_402_300_800
"""The first second behind the year 9999, since 1970: no clock of ours can write it."""

_OTHER_BLOCKS: MappingProxyType[int, str] = MappingProxyType(
    {
        4: "name resolution",
        5: "interface statistics",
        9: "systemd journal",
        10: "decryption secrets",
        0x0BAD: "custom",
        0x4000_0BAD: "custom",
    }
)
"""Blocks that hold no packet (draft-ietf-opsawg-pcapng clause 4, and its registry of block types)."""


@lean_dataclass(frozen=True, slots=True)
class Record:
    """One captured frame: seconds since 1970, link type (LINKTYPE number), bytes, name of the interface if known."""

    timestamp: float
    link_type: int
    frame: bytes
    interface: str = ""


@dataclass(frozen=True, slots=True)
class OtherBlock:
    """A pcapng block that is passed over. `name` says of which kind it is."""

    name: str


class BrokenRecord(Exception):
    """A file is cut off or contradicts itself at `offset` (bytes); nothing from there on can be trusted."""

    def __init__(self, offset: int, problem: str) -> None:
        super().__init__(f"{problem} at byte {offset}")
        self.offset = offset
        self.problem = problem


def read_records(file: BinaryIO, name: str) -> Iterator[Record | OtherBlock]:
    """Return an iterator over the frames of a file that is read from its start, and what it passes over.

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
            raise self.broken(_CUT_OFF)
        return data

    def start_record(self, count: int) -> bytes | None:
        """Return the first `count` bytes of the next record, or `None` at the end of the file."""
        self.record_start = self.position
        data = self._file.read(count)
        self.position += len(data)
        if len(data) == count:
            return data
        if data:
            raise self.broken(_CUT_OFF)
        return None

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
    read_head = struct.Struct("<III" if order == "little" else ">III").unpack_from
    while head := source.start_record(head_size):
        seconds, fraction, size = read_head(head)
        if size > _MAX_FRAME:
            raise source.broken(f"a packet that claims {size} bytes")
        yield Record(seconds + fraction / ticks, link_type, source.take(size))


@dataclass(frozen=True, slots=True)
class _Interface:
    """Where packets were captured.

    Link type, most bytes of a packet (0: all), ticks per second, offset in seconds, name.
    """

    link_type: int
    snap_length: int = 0
    ticks: int = 1_000_000
    offset: int = 0
    name: str = ""


@dataclass(slots=True)
class _Section:
    """What holds for the blocks of one section; `newest` is the time of the packet before, in seconds."""

    order: _Order = "little"
    interfaces: list[_Interface] = field(default_factory=list)
    newest: float = 0.0


def _pcapng_records(source: _Source) -> Iterator[Record | OtherBlock]:
    section = _Section()
    head: bytes | None = _SECTION_MAGIC + source.take(4)
    while head:
        if head[:4] == _SECTION_MAGIC:
            mark = source.take(4)
            section, head = _Section(_section_order(source, mark), newest=section.newest), head + mark
        kind, body = _read_block(source, head, section.order)
        match kind:
            case n if n == _INTERFACE:
                section.interfaces.append(_interface(source, body, section.order))
            case n if n in (_PACKET, _ENHANCED_PACKET):
                record = _packet(source, kind, body, section)
                section.newest = record.timestamp
                yield record
            case n if n == _SIMPLE_PACKET:
                yield _simple_packet(source, body, section)
            case n if n != _SECTION:
                yield OtherBlock(_OTHER_BLOCKS.get(kind, "of unknown kind"))
        if len(section.interfaces) > _MAX_INTERFACES:
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
    ticks, offset, name = 1_000_000, 0, ""
    for code, value in _options(body[8:], order):
        if code == _OPTION_RESOLUTION and len(value) == 1:
            ticks = (2 if value[0] & 0x80 else 10) ** (value[0] & 0x7F)
        elif code == _OPTION_OFFSET and len(value) == 8:
            offset = int.from_bytes(value, order, signed=True)
        elif code == _OPTION_NAME:
            name = value[:_LONGEST_NAME].decode(errors="replace")
    link_type, snap_length = int.from_bytes(body[:2], order), int.from_bytes(body[4:8], order)
    return _Interface(link_type, snap_length, ticks, offset, name)


def _options(data: bytes, order: _Order) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position + 4 <= len(data):
        code, size = (int.from_bytes(data[at : at + 2], order) for at in (position, position + 2))
        yield code, data[position + 4 : position + 4 + size]
        position += 4 + size + -size % 4


def _packet(source: _Source, kind: int, body: bytes, section: _Section) -> Record:
    # The obsolete packet block has two bytes of interface number and two of drop count, the enhanced one
    # four.
    order, interfaces = section.order, section.interfaces
    number = int.from_bytes(body[:2] if kind == _PACKET else body[:4], order)
    size = int.from_bytes(body[12:16], order)
    if len(body) < 20 or number >= len(interfaces) or size > len(body) - 20:
        raise source.broken("a packet block that contradicts itself")
    interface = interfaces[number]
    ticks = int.from_bytes(body[4:8], order) << 32 | int.from_bytes(body[8:12], order)
    timestamp = interface.offset + ticks / interface.ticks
    if not 0 <= timestamp < END_OF_TIME:
        raise source.broken("a packet of a time before 1970 or beyond the year 9999")
    return Record(timestamp, interface.link_type, body[20 : 20 + size], interface.name)


def _simple_packet(source: _Source, body: bytes, section: _Section) -> Record:
    """Read a block that has neither interface nor time: the first interface, and the time of the packet before."""
    if len(body) < 4 or not section.interfaces:
        raise source.broken("a packet block that contradicts itself")
    interface, size = section.interfaces[0], int.from_bytes(body[:4], section.order)
    if interface.snap_length:
        size = min(size, interface.snap_length)
    if size > len(body) - 4:
        raise source.broken("a packet block that contradicts itself")
    return Record(section.newest, interface.link_type, body[4 : 4 + size], interface.name)
