"""The vpcd wire protocol without sockets: bytes in, typed events out, replies framed.

Every message is a two-byte big-endian length and that many bytes. From vpcd a body of one byte 00, 01, 02
or 04 is a control; everything else is a command APDU. The card answers the ATR request and command APDUs,
nothing else. Source: vsmartcard's vpcd driver, version 3.3 (src/vpcd/vpcd.c), as observed on the wire.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

MAX_BODY: Final = 0xFFFF
"""Longest message body in bytes: what a two-byte length can say."""


class ProtocolError(Exception):
    """The other side does not speak the vpcd protocol, or a reply cannot be framed."""


class Control(Enum):
    """A request that is not an APDU. Only `ATR_REQUEST` is answered."""

    POWER_OFF = 0x00
    POWER_ON = 0x01
    RESET = 0x02
    ATR_REQUEST = 0x04


@dataclass(frozen=True, slots=True)
class ApduReceived:
    """A command APDU of 1 to 65,535 bytes. It must be answered, whatever it is, or the client hangs."""

    apdu: bytes


Event = Control | ApduReceived

CONTROLS: Final = {bytes([control.value]): control for control in Control}


class FrameDecoder:
    """Collects received bytes and cuts them into events, or into bodies for who only looks on.

    Memory is bounded by the caller: one `feed` of at most a frame's size between calls of `next_event`.
    """

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def mid_frame(self) -> bool:
        """Whether part of a message has arrived and the rest has not."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take bytes as they came off the wire, in any portions."""
        self._buffer += data

    def next_body(self) -> bytes | None:
        """Return the next whole message as it is, or None when more bytes are needed."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        end = 2 + (buffer[0] << 8 | buffer[1])
        if len(buffer) < end:
            return None
        body = bytes(buffer[2:end])
        del buffer[:end]
        return body

    def next_event(self) -> Event | None:
        """Return the next whole message, or None when more bytes are needed.

        Raises `ProtocolError` on a frame of length zero, which vpcd never sends.
        """
        body = self.next_body()
        if body is None:
            return None
        if not body:
            raise ProtocolError("an empty frame arrived: the other side is not vpcd")
        if len(body) == 1 and (control := CONTROLS.get(body)) is not None:
            return control
        return ApduReceived(body)


def encode(body: bytes) -> bytes:
    """Frame a reply (an ATR, or data + SW) of 1 to 65,535 bytes.

    Raises `ProtocolError` for any other length: an empty frame would make SCardTransmit hang for good.
    """
    if not 0 < len(body) <= MAX_BODY:
        raise ProtocolError(f"a reply has 1 to {MAX_BODY} bytes, this one has {len(body)}")
    return len(body).to_bytes(2, "big") + body
