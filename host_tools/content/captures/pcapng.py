"""Writes datagrams into pcapng files as they go out: every block is whole, so a file can be read while it grows.

Times are to the microsecond. What writes a classic pcap file is `pcap.CaptureWriter`.
"""

from __future__ import annotations

import struct
from typing import BinaryIO, Final

from host_tools.content.captures.datagrams import Datagram
from host_tools.content.captures.ip_packets import udp_packet
from host_tools.content.captures.link_layers import RAW_IP
from host_tools.content.errors import CaptureError

_SECTION: Final = struct.Struct("<IIIHHqI")  # type, size, byte order mark, version, size of the section, size
_INTERFACE: Final = struct.Struct("<IIHHI")
_PACKET: Final = struct.Struct("<IIIIIII")
_OPTION_NAME, _OPTION_END = 2, 0
_MOST_TICKS = 1 << 64


class PcapngWriter:
    """Writes UDP datagrams as raw IP packets of one interface."""

    def __init__(self, file: BinaryIO, interface: str) -> None:
        """Take a file open for writing, which the caller closes, and what the interface is called."""
        self._file = file
        name = interface.encode()[:255]
        option = struct.pack("<HH", _OPTION_NAME, len(name)) + name + bytes(-len(name) % 4)
        options = option + struct.pack("<HH", _OPTION_END, 0)
        size = _INTERFACE.size + len(options) + 4
        file.write(_SECTION.pack(0x0A0D0D0A, _SECTION.size, 0x1A2B3C4D, 1, 0, -1, _SECTION.size))
        file.write(_INTERFACE.pack(1, size, RAW_IP, 0, 0) + options + struct.pack("<I", size))

    def write(self, datagram: Datagram) -> None:
        """Append one datagram. Raises `CaptureError` for an address, port, size or time that the file cannot hold."""
        packet, ticks = udp_packet(datagram), round(datagram.timestamp * 1_000_000)
        if not 0 <= ticks < _MOST_TICKS:
            raise CaptureError(f"a datagram to {datagram.destination} cannot be written: its time is before 1970")
        padding = -len(packet) % 4
        size = _PACKET.size + len(packet) + padding + 4
        head = _PACKET.pack(6, size, 0, ticks >> 32, ticks & 0xFFFF_FFFF, len(packet), len(packet))
        self._file.write(b"".join((head, packet, bytes(padding), size.to_bytes(4, "little"))))
