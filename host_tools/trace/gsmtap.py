"""GSMTAP for SIM: the header Wireshark knows, packets over UDP, and files in pcapng.

GSMTAP version 2 as libosmocore declares it; pcapng as in IETF draft-ietf-opsawg-pcapng.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from card.errors import DecodeError
from host_tools.links.base import LinkError
from host_tools.trace.events import CardEvent, TraceEvent, TraceSink
from host_tools.trace.record import RESET, Recorder
from host_tools.trace.text import summary_line
from host_tools.trace.tpdu import join_exchange, split_exchange

if TYPE_CHECKING:
    from host_tools.media.pcap import CaptureReport

PORT = 4729
_HEADER = struct.Struct(">BBBBHbbIBBBB")
_VERSION, _WORDS, _TYPE_SIM = 2, 4, 4
_APDU, _ATR = 0, 1
_LOOPBACK = bytes((127, 0, 0, 1))
_RAW_IP = 101  # LINKTYPE_RAW
_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_BYTE_ORDER, _COMMENT, _NAME, _APPLICATION = 0x1A2B3C4D, 1, 2, 4
_LONGEST_PAYLOAD = 65_000
_MOST_COMMENTS = 16  # of one packet


def encode_gsmtap(payload: bytes, number: int, subtype: int = _APDU) -> bytes:
    """Return a GSMTAP packet: 16 bytes of header, then a TPDU or an ATR."""
    frame = number & 0xFFFFFFFF
    return _HEADER.pack(_VERSION, _WORDS, _TYPE_SIM, 0, 0, 0, 0, frame, subtype, 0, 0, 0) + payload


def decode_gsmtap(packet: bytes) -> tuple[int, bytes]:
    """Return subtype and payload of a SIM packet. Raises `DecodeError` for any other."""
    if len(packet) < _HEADER.size or packet[0] != _VERSION or packet[2] != _TYPE_SIM:
        raise DecodeError("no GSMTAP packet of a SIM")
    start = 4 * packet[1]
    if start < _HEADER.size or start > len(packet):
        raise DecodeError("a GSMTAP header of an impossible length")
    return packet[12], packet[start:]


def gsmtap_packets(event: TraceEvent) -> Iterator[bytes]:
    """Yield the packets for an event: one for an ATR, one or more for an exchange, none where nothing came back."""
    if isinstance(event, CardEvent):
        if event.atr:
            yield encode_gsmtap(event.atr, event.number, _ATR)
        return
    if not event.response or len(event.command) + len(event.response) > _LONGEST_PAYLOAD:
        return
    for tpdu in split_exchange(event.command, event.response):
        yield encode_gsmtap(tpdu, event.number)


def as_captured(events: Iterable[TraceEvent]) -> Iterator[TraceEvent]:
    """Yield what a capture of these events holds: exchanges as T=0 carries them, without durations."""
    for event in events:
        if isinstance(event, CardEvent):
            yield event
            continue
        for packet in gsmtap_packets(event):
            with contextlib.suppress(DecodeError):
                command, response = join_exchange(decode_gsmtap(packet)[1])
                yield replace(
                    event, command=command, response=response, seconds=0.0, hidden_command=(), hidden_response=()
                )


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


def read_gsmtap(path: Path, sink: TraceSink) -> CaptureReport:
    """Give the sink what a capture (pcap or pcapng) holds as GSMTAP, redacted. Durations are not known: 0.

    The report tells where the file breaks off. Raises `CaptureError` when it is no capture, `UnusableFile`.
    """
    from host_tools.media.pcap import open_capture

    moment = [0.0]
    recorder = Recorder(path.name, [sink], clock=lambda: moment[0])
    with open_capture(path) as capture:
        for datagram in capture:
            if datagram.destination.port != PORT:
                continue
            moment[0] = datagram.timestamp
            try:
                subtype, payload = decode_gsmtap(datagram.payload)
                if subtype == _ATR:
                    recorder.card_event(RESET, payload)
                elif subtype == _APDU:
                    recorder.exchange(*join_exchange(payload), seconds=0.0)
            except DecodeError:
                continue
    recorder.close()
    return capture.report


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
