"""Sessions of libsrtp that begin at any packet index, take packets of any size, and fail with libsrtp's own words.

pylibsrtp has no call to set the roll-over counter, so a new session is walked to the right index with empty packets
that never leave this module. And it gives every session a buffer of 1,500 bytes; a UDP datagram may have 65,507.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any, Final

from pylibsrtp import Error as LibsrtpError
from pylibsrtp import Policy, Session
from pylibsrtp._binding import ffi

from host_tools.content.srtp.errors import SrtpError
from host_tools.content.srtp.format import SrtpSuite
from host_tools.content.srtp.keys import master_of
from host_tools.content.traffic_key import TrafficKey

LARGEST_PACKET: Final = 65_507
"""Bytes of the largest SRTP packet: what a UDP datagram can carry over IPv4."""

SEQUENCES: Final = 1 << 16

_TRAILER = 16 + 128  # what libsrtp keeps free for a tag and an MKI
_LONGEST_STEP = 30_000  # libsrtp recognises a wrap when the sequence number moves less than half its range
_REPLAY_WINDOW = 128
_PROFILES = MappingProxyType(
    {
        SrtpSuite.AES_CM_128_HMAC_SHA1_80: Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
        SrtpSuite.AES_CM_128_HMAC_SHA1_32: Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
    }
)


class SessionMaker:
    """Makes the sessions of one sender or receiver. They work in one buffer, so one thread uses them all."""

    def __init__(self, suite: SrtpSuite) -> None:
        self._suite = suite
        self._room: Any = ffi.new("char[]", LARGEST_PACKET + _TRAILER)
        self._view: Any = ffi.buffer(self._room)

    def sender(self, key: TrafficKey, ssrc: bytes, index: int) -> Session:
        """Return a sending session whose next packet may have this index. Raises `SrtpError`."""
        session = self._session(key, Policy.SSRC_ANY_OUTBOUND)
        for packet in _walk(ssrc, index):
            run(session.protect, packet)
        return session

    def receiver(self, key: TrafficKey, ssrc: bytes, index: int) -> Session:
        """Return a receiving session whose next packet may have this index. Raises `SrtpError`."""
        session = self._session(key, Policy.SSRC_ANY_INBOUND)
        if index >= SEQUENCES:
            sender = self.sender(key, ssrc, 0)
            for packet in _walk(ssrc, index):
                run(session.unprotect, run(sender.protect, packet))
        return session

    def _session(self, key: TrafficKey, direction: int) -> Session:
        session = Session(Policy(key=master_of(key), ssrc_type=direction, srtp_profile=_PROFILES[self._suite]))
        session._cdata, session._buffer = self._room, self._view
        return session


def run(operation: Callable[[bytes], bytes], packet: bytes) -> bytes:
    """Let libsrtp work on a packet. Raises `SrtpError` with libsrtp's reason."""
    try:
        return bytes(operation(packet))
    except (LibsrtpError, ValueError) as error:
        raise SrtpError(str(error)) from None


def _walk(ssrc: bytes, index: int) -> Iterator[bytes]:
    """Yield empty RTP packets that lead from index 0 to just outside the replay window of `index`."""
    if index < SEQUENCES:
        return
    end = index - _REPLAY_WINDOW - 1
    for step in (*range(_LONGEST_STEP, end, _LONGEST_STEP), end):
        yield b"\x80\x00" + (step % SEQUENCES).to_bytes(2, "big") + bytes(4) + ssrc
