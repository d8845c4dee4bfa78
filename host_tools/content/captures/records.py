"""Frames out of capture files: classic pcap and pcapng (IETF drafts draft-ietf-opsawg-pcap and -pcapng).

dpkt's readers pass a cut-off packet on as if it were whole, believe any length a file claims, and know only
the first interface of a pcapng file. A capture comes from outside, so the files are walked here: every length
is checked, every interface keeps its own link type and clock, and the place where a file breaks off is known
to the byte.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import BinaryIO, Literal, Protocol, cast

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
_BLOCK = 1 << 16  # bytes of a classic file that are read in one go
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


Frame = tuple[float, int, bytes, str]
"""One captured frame: seconds since 1970, link type (LINKTYPE number), bytes, name of the interface where it is known.

A plain tuple, since there is one for every packet.
"""


class BrokenRecord(Exception):
    """A file is cut off or contradicts itself at `offset` (bytes); nothing from there on can be trusted."""

    def __init__(self, offset: int, problem: str) -> None:
        super().__init__(f"{problem} at byte {offset}")
        self.offset = offset
        self.problem = problem


class _Buffered(Protocol):
    """What every buffered file of bytes has, though `BinaryIO` does not say so."""

    def read1(self, count: int, /) -> bytes:
        """Return at most so many bytes, those that are there; none at the end only."""


class FrameFile:
    """Yields the frames of a capture that is read from its start, once.

    `position` is the offset (bytes) behind what was yielded, `other_blocks` counts the pcapng blocks that were passed
    over by their kind.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        """Take a file at its start, and what to call it. Raises `CaptureError` when it is no capture."""
        self.position = 0
        self.other_blocks: Counter[str] = Counter()
        self._file = file
        self._read_what_is_there = cast("_Buffered", file).read1  # a pipe is not waited for until a block is full
        magic = file.read(4)
        self.position = len(magic)
        if magic != _SECTION_MAGIC and magic not in _CLASSIC:
            found = f"it starts with {magic.hex(' ')}" if magic else "it is empty"
            raise CaptureError(f"{name} is neither a pcap nor a pcapng file: {found}")
        self._classic = None if magic == _SECTION_MAGIC else self._classic_layout(magic, name)

    def __iter__(self) -> Iterator[Frame]:
        """Yield every whole frame. Raises `BrokenRecord` where the file breaks off, after what is before that place."""
        return self._pcapng_frames() if self._classic is None else self._classic_frames(*self._classic)

    def _classic_layout(self, magic: bytes, name: str) -> tuple[_Order, int, int, int]:
        """Read the file header; return byte order, ticks per second, size of a packet header and link type."""
        order, ticks, head_size = _CLASSIC[magic]
        header = self._file.read(_CLASSIC_HEADER - len(magic))
        self.position += len(header)
        if self.position < _CLASSIC_HEADER:
            raise CaptureError(f"{name} ends inside its pcap file header")
        # The upper bits of the field hold the length of a frame check sequence, not the type.
        return order, ticks, head_size, int.from_bytes(header[16:20], order) & 0xFFFF

    def _classic_frames(self, order: _Order, ticks: int, head_size: int, link_type: int) -> Iterator[Frame]:
        """Cut frames out of large blocks: a call of the file for each of them would take longer than all the rest."""
        read_head = struct.Struct("<III" if order == "little" else ">III").unpack_from
        block, at = b"", 0  # what was read, and where in it the next record begins
        start = at + head_size
        while True:
            if start > len(block):
                block, at, start = self._more(block, at, head_size), 0, head_size
                if not block:
                    return
            seconds, fraction, size = read_head(block, at)
            if size > _MAX_FRAME:
                raise BrokenRecord(self.position, f"a packet that claims {size} bytes")
            end = start + size
            if end > len(block):
                block, at, start, end = self._more(block, at, head_size + size), 0, head_size, head_size + size
            self.position += head_size + size
            yield seconds + fraction / ticks, link_type, block[start:end], ""
            at, start = end, end + head_size

    def _more(self, block: bytes, at: int, wanted: int) -> bytes:
        """Return a block that begins at `at` and holds so many bytes; nothing where the file ends right there."""
        parts = [block[at:]]
        missing = wanted - len(parts[0])
        while missing > 0 and (read := self._read_what_is_there(_BLOCK)):
            parts.append(read)
            missing -= len(read)
        found = b"".join(parts)
        if found and missing > 0:
            raise BrokenRecord(self.position, _CUT_OFF)
        return found

    def _pcapng_frames(self) -> Iterator[Frame]:
        source = _Blocks(self._file, self.position)
        section = _Section()
        head: bytes | None = _SECTION_MAGIC + source.take(4)
        while head:
            if head[:4] == _SECTION_MAGIC:
                mark = source.take(4)
                section, head = _Section(_section_order(source, mark), newest=section.newest), head + mark
            kind, body = _read_block(source, head, section.order)
            self.position = source.position
            match kind:
                case n if n == _INTERFACE:
                    section.interfaces.append(_interface(source, body, section.order))
                case n if n in (_PACKET, _ENHANCED_PACKET):
                    frame = _packet(source, kind, body, section)
                    section.newest = frame[0]
                    yield frame
                case n if n == _SIMPLE_PACKET:
                    yield _simple_packet(source, body, section)
                case n if n != _SECTION:
                    self.other_blocks[_OTHER_BLOCKS.get(kind, "of unknown kind")] += 1
            if len(section.interfaces) > _MAX_INTERFACES:
                raise source.broken(f"more than {_MAX_INTERFACES} interfaces")
            head = source.start_record(8)


class _Blocks:
    """A pcapng file read block by block, which knows its position and refuses to come up short."""

    def __init__(self, file: BinaryIO, position: int) -> None:
        self._file = file
        self.position = position
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


def _section_order(source: _Blocks, mark: bytes) -> _Order:
    if int.from_bytes(mark, "little") == _BYTE_ORDER_MARK:
        return "little"
    if int.from_bytes(mark, "big") == _BYTE_ORDER_MARK:
        return "big"
    raise source.broken("a section without a byte order mark")


def _read_block(source: _Blocks, head: bytes, order: _Order) -> tuple[int, bytes]:
    """Return kind and body of the block whose first bytes are `head`; the body lacks those."""
    kind, size = int.from_bytes(head[:4], order), int.from_bytes(head[4:8], order)
    if not max(_SMALLEST_BLOCK, len(head) + 4) <= size <= _MAX_BLOCK or size % 4:
        raise source.broken(f"a block that claims {size} bytes")
    return kind, source.take(size - len(head))[:-4]


def _interface(source: _Blocks, body: bytes, order: _Order) -> _Interface:
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


def _packet(source: _Blocks, kind: int, body: bytes, section: _Section) -> Frame:
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
    return timestamp, interface.link_type, body[20 : 20 + size], interface.name


def _simple_packet(source: _Blocks, body: bytes, section: _Section) -> Frame:
    """Read a block that has neither interface nor time: the first interface, and the time of the packet before."""
    if len(body) < 4 or not section.interfaces:
        raise source.broken("a packet block that contradicts itself")
    interface, size = section.interfaces[0], int.from_bytes(body[:4], section.order)
    if interface.snap_length:
        size = min(size, interface.snap_length)
    if size > len(body) - 4:
        raise source.broken("a packet block that contradicts itself")
    return section.newest, interface.link_type, body[4 : 4 + size], interface.name
