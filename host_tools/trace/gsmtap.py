"""GSMTAP for SIM: the header Wireshark knows, packets over UDP, and files in pcapng.

GSMTAP version 2 as libosmocore declares it; pcapng as in IETF draft-ietf-opsawg-pcapng. A packet holds a command and
its answer in one piece. Where their border cannot be seen, as in an extended APDU, the header is a word longer, which
its length field allows, and that word is the size of the command. `host_tools.trace.captured` reads what is written
here.
"""

from __future__ import annotations

import socket
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from card.errors import DecodeError
from host_tools.links.base import LinkError
from host_tools.trace.events import CardEvent, TraceEvent
from host_tools.trace.text import summary_line
from host_tools.trace.tpdu import join_exchange, split_exchange

PORT = 4729
APDU, ATR = 0, 1
"""Subtypes of a SIM packet."""
_HEADER = struct.Struct(">BBBBHbbIBBBB")
_SIZE = struct.Struct(">I")  # of the command, behind the header
_VERSION, _WORDS, _TYPE_SIM = 2, 4, 4
_LOOPBACK = bytes((127, 0, 0, 1))
_RAW_IP = 101  # LINKTYPE_RAW
_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_BYTE_ORDER, _COMMENT, _NAME, _APPLICATION = 0x1A2B3C4D, 1, 2, 4
_LONGEST_PAYLOAD = 65_000
_MOST_COMMENTS = 16  # of one packet
_MOST_LINKS = 64  # with an interface of their own
_FURTHER_LINKS = "further links"


@dataclass(frozen=True, slots=True)
class GsmtapPacket:
    """What a SIM packet holds. `command_size` is where its command ends, where that is written."""

    subtype: int
    payload: bytes
    command_size: int | None = None


def encode_gsmtap(payload: bytes, number: int, subtype: int = APDU, command_size: int | None = None) -> bytes:
    """Return a GSMTAP packet: 16 bytes of header (20 with the size of the command), then a TPDU or an ATR."""
    frame, size = number & 0xFFFFFFFF, b"" if command_size is None else _SIZE.pack(command_size)
    words = _WORDS + len(size) // 4
    return _HEADER.pack(_VERSION, words, _TYPE_SIM, 0, 0, 0, 0, frame, subtype, 0, 0, 0) + size + payload


def decode_gsmtap(packet: bytes) -> GsmtapPacket:
    """Read a SIM packet. Raises `DecodeError` for any other."""
    if len(packet) < _HEADER.size or packet[0] != _VERSION or packet[2] != _TYPE_SIM:
        raise DecodeError("no GSMTAP packet of a SIM")
    start = 4 * packet[1]
    if start < _HEADER.size or start > len(packet):
        raise DecodeError("a GSMTAP header of an impossible length")
    size = _SIZE.unpack_from(packet, _HEADER.size)[0] if start == _HEADER.size + _SIZE.size else None
    return GsmtapPacket(packet[12], packet[start:], size)


def gsmtap_packets(event: TraceEvent) -> Iterator[bytes]:
    """Yield the packets for an event: one for an ATR, one or more for an exchange, none where nothing came back."""
    if isinstance(event, CardEvent):
        if event.atr:
            yield encode_gsmtap(event.atr, event.number, ATR)
        return
    if not event.response or len(event.command) + len(event.response) > _LONGEST_PAYLOAD:
        return
    for command, response in split_exchange(event.command, event.response):
        size = None if _border_is_seen(command, response) else len(command)
        yield encode_gsmtap(command + response, event.number, command_size=size)


def _border_is_seen(command: bytes, response: bytes) -> bool:
    """Tell whether a reader who knows no more than the instructions finds where a command ends."""
    try:
        return join_exchange(command + response) == (command, response)
    except DecodeError:
        return False


class GsmtapSink:
    """Sends every event to a Wireshark that listens, over UDP. Nobody listening is no error."""

    def __init__(self, host: str = "127.0.0.1", port: int = PORT) -> None:
        """Take the address to send to. Raises `LinkError` when it cannot be resolved."""
        try:
            family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        except (OSError, UnicodeError):
            raise LinkError(f"GSMTAP: the address {host}:{port} cannot be found.") from None
        self._socket = socket.socket(family, kind)
        self._address = address

    def emit(self, event: TraceEvent) -> None:
        """Send one event."""
        for packet in gsmtap_packets(event):
            try:
                self._socket.sendto(packet, self._address)
            except OSError:
                # A watcher that is not there must not stop the work that is watched.
                return

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class PcapngSink:
    """Writes every event to a pcapng file as GSMTAP over UDP; the sink closes the file.

    The line that a person would read stands as the packet's comment. What has no packet, such as a command without
    an answer, stands as a further comment of the next one.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._interfaces: dict[str, int] = {}
        self._comments: deque[str] = deque(maxlen=_MOST_COMMENTS)
        body = struct.pack("<IHHq", _BYTE_ORDER, 1, 0, -1) + _options((_APPLICATION, b"bcast-uicc"))
        self._write(_SECTION, body)

    def emit(self, event: TraceEvent) -> None:
        """Write the packets of one event."""
        line = event.what if isinstance(event, CardEvent) else summary_line(event)
        self._comments.append(line)
        for packet in gsmtap_packets(event):
            self._packet(self._interface(event.link), event.at, _datagram(packet), self._comments or (line,))
            self._comments.clear()

    def close(self) -> None:
        """Close the file. Closing twice is harmless."""
        self._file.close()

    def _interface(self, link: str) -> int:
        if link not in self._interfaces and len(self._interfaces) >= _MOST_LINKS:
            link = _FURTHER_LINKS
        if link not in self._interfaces:
            self._interfaces[link] = len(self._interfaces)
            body = struct.pack("<HHI", _RAW_IP, 0, 0) + _options((_NAME, link.encode()[:250]))
            self._write(_INTERFACE, body)
        return self._interfaces[link]

    def _packet(self, interface: int, at: float, frame: bytes, comments: Sequence[str]) -> None:
        ticks = max(0, round(at * 1_000_000))
        head = struct.pack("<IIIII", interface, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame))
        self._write(_PACKET, head + _padded(frame) + _options(*((_COMMENT, line.encode()[:1000]) for line in comments)))

    def _write(self, kind: int, body: bytes) -> None:
        size = 12 + len(body)
        self._file.write(struct.pack("<II", kind, size) + body + struct.pack("<I", size))
        self._file.flush()  # whoever watches the file sees the block, and a process that is killed loses none


def _options(*given: tuple[int, bytes]) -> bytes:
    written = b"".join(struct.pack("<HH", code, len(value)) + _padded(value) for code, value in given)
    return written + struct.pack("<HH", 0, 0)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _datagram(payload: bytes) -> bytes:
    """Return an IPv4 packet on the loopback with a UDP datagram to the GSMTAP port."""
    udp = struct.pack(">HHHH", PORT, PORT, 8 + len(payload), 0) + payload
    size = 20 + len(udp)
    head = struct.pack(">BBHHHBBH", 0x45, 0, size, 0, 0, 64, socket.IPPROTO_UDP, 0) + 2 * _LOOPBACK
    return head[:10] + _checksum(head).to_bytes(2, "big") + head[12:] + udp


def _checksum(head: bytes) -> int:
    total = sum(struct.unpack(">10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    return int(~(total + (total >> 16)) & 0xFFFF)
