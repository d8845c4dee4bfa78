"""RTP packets (RFC 3550 clause 5.1): bytes to a frozen dataclass and back."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from card.codec.reader import Reader
from card.errors import DecodeError
from card.lean import lean_dataclass
from host_tools.content.errors import RtpError

_VERSION = 2
_HEADER = struct.Struct("!BBHII")  # flags, marker and payload type, sequence, timestamp, SSRC
HEADER_SIZE: Final = _HEADER.size
"""Bytes of the fixed header."""
read_header: Final = _HEADER.unpack_from
"""Gives flags, marker and payload type, sequence number, timestamp and SSRC of at least 12 bytes."""
write_header: Final = _HEADER.pack
"""Gives a fixed header for the same; raises `struct.error` for a number that does not fit."""
PLAIN: Final = _VERSION << 6
"""Flags of a packet whose payload follows its fixed header: no padding, no extension, no CSRC."""
MARKER: Final = 0x80
"""The bit beside the payload type."""
SEQUENCES: Final = 1 << 16
"""How many sequence numbers there are."""
MOST_AHEAD: Final = 1 << 14
"""A sequence number further ahead is a new start of its source, no gap. RFC 3550 appendix A.1 has 3,000, which is too
little for what a computer that stands still for some seconds drops at twenty times the speed."""
MOST_BEHIND: Final = 3_000
"""One further behind is a new start, too."""
RTCP_TYPES: Final = range(192, 224)
"""Second byte of RTCP where it shares a port with RTP (RFC 5761 clause 4)."""
_MAX_CSRCS = 15
_TOO_LARGE = "a number does not fit its field in the RTP header"

NO_RTP, RTCP = "no RTP", "RTCP"
"""Why a datagram is no media."""


class PayloadFormat(IntEnum):
    """Static payload types that the media tools can play (RFC 3551 clause 6)."""

    PCMU = 0
    PCMA = 8
    L16_STEREO = 10
    L16_MONO = 11
    MP2T = 33


@dataclass(frozen=True, slots=True)
class HeaderExtension:
    """The header extension: a profile number (16 bits) and a whole number of 4-byte words."""

    profile: int
    data: bytes


@lean_dataclass(frozen=True, slots=True)
class RtpPacket:
    """One RTP packet: sequence number of 16 bits, timestamp and SSRC of 32, payload type of 7; no padding."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False
    csrcs: tuple[int, ...] = ()
    extension: HeaderExtension | None = None

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read one packet of at least 12 bytes. Raises `RtpError` for anything that is not RTP version 2."""
        if len(data) < _HEADER.size:
            raise RtpError(f"not an RTP packet: {len(data)} bytes, less than a header of {_HEADER.size}")
        flags, kind, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
        if flags >> 6 != _VERSION:
            raise RtpError(f"not an RTP packet: version {flags >> 6}")
        payload = data[_HEADER.size :]
        if not flags & 0x3F:
            return cls(kind & 0x7F, sequence, timestamp, ssrc, payload, bool(kind & 0x80))
        payload, csrcs, extension = _read_rest(flags, payload)
        return cls(kind & 0x7F, sequence, timestamp, ssrc, payload, bool(kind & 0x80), csrcs, extension)

    def encode(self) -> bytes:
        """Return the packet, without padding. Raises `RtpError` when a value does not fit its field."""
        flags, rest = PLAIN, b""
        if self.csrcs or self.extension is not None:
            flags, rest = self._flags_and_rest()
        if not 0 <= self.payload_type < 0x80:
            raise RtpError("an RTP packet has a payload type below 128")
        kind = self.payload_type | (MARKER if self.marker else 0)
        try:
            return _HEADER.pack(flags, kind, self.sequence, self.timestamp, self.ssrc) + rest + self.payload
        except struct.error:
            raise RtpError(_TOO_LARGE) from None

    def _flags_and_rest(self) -> tuple[int, bytes]:
        """Return the flags, and what stands between the fixed header and the payload. Raises `RtpError`."""
        if len(self.csrcs) > _MAX_CSRCS:
            raise RtpError(f"an RTP packet has at most {_MAX_CSRCS} CSRCs")
        try:
            csrcs = b"".join(csrc.to_bytes(4, "big") for csrc in self.csrcs)
            extension = b"" if self.extension is None else _encode_extension(self.extension)
        except OverflowError:
            raise RtpError(_TOO_LARGE) from None
        return PLAIN | (0x10 if extension else 0) | len(self.csrcs), csrcs + extension


def looks_like_rtp(data: bytes) -> bool:
    """Tell whether a datagram may be RTP: long enough and version 2. A cheap sieve, not a proof."""
    return len(data) >= _HEADER.size and data[0] >> 6 == _VERSION


def why_no_media(data: bytes) -> str | None:
    """Return why a datagram is no RTP packet of media, None where it may be one."""
    if len(data) < _HEADER.size or data[0] >> 6 != _VERSION:
        return NO_RTP
    return RTCP if data[1] in RTCP_TYPES else None


def _read_rest(flags: int, data: bytes) -> tuple[bytes, tuple[int, ...], HeaderExtension | None]:
    """Return payload, CSRCs and extension from what follows the fixed header. Raises `RtpError`."""
    reader = Reader(data)
    try:
        csrcs = tuple(reader.u32("CSRC") for _ in range(flags & 0x0F))
        extension = _read_extension(reader) if flags & 0x10 else None
        payload = reader.rest()
        return _without_padding(payload) if flags & 0x20 else payload, csrcs, extension
    except DecodeError as error:
        raise RtpError(f"not an RTP packet: {error}") from None


def _read_extension(reader: Reader) -> HeaderExtension:
    profile, words = reader.u16("extension profile"), reader.u16("extension length")
    return HeaderExtension(profile, reader.take(4 * words, "header extension"))


def _encode_extension(extension: HeaderExtension) -> bytes:
    words, rest = divmod(len(extension.data), 4)
    if rest:
        raise RtpError("an RTP header extension is a whole number of 4-byte words")
    return extension.profile.to_bytes(2, "big") + words.to_bytes(2, "big") + extension.data


def _without_padding(body: bytes) -> bytes:
    if not body or not 0 < body[-1] <= len(body):
        raise DecodeError("padding longer than the packet")
    return body[: -body[-1]]
