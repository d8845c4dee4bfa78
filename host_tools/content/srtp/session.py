"""Sessions of libsrtp that begin at any packet index, take packets of any size, and fail with libsrtp's own words.

pylibsrtp has no call to set the roll-over counter, so a new session is walked to the right index with empty packets
that never leave this module. It gives every session a buffer of 1,500 bytes; a UDP datagram may have 65,507. And it
makes a place for the length at each call, which takes longer than a packet: so libsrtp is called here.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Any, Final

import pylibsrtp
from pylibsrtp import Policy
from pylibsrtp._binding import ffi, lib

from host_tools.content.rtp import HEADER_SIZE, SEQUENCES
from host_tools.content.srtp.errors import SrtpError
from host_tools.content.srtp.format import SrtpSuite
from host_tools.content.srtp.keys import master_of
from host_tools.content.traffic_key import TrafficKey

LARGEST_PACKET: Final = 65_507
"""Bytes of the largest SRTP packet: what a UDP datagram can carry over IPv4."""

TOO_LONG: Final = f"packet is too long: more than {LARGEST_PACKET} bytes"

_TRAILER = 16 + 128  # what libsrtp keeps free for a tag and an MKI
_LONGEST_STEP = 30_000  # libsrtp recognises a wrap when the sequence number moves less than half its range
_REPLAY_WINDOW = 128
_PROFILES = MappingProxyType(
    {
        SrtpSuite.AES_CM_128_HMAC_SHA1_80: Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
        SrtpSuite.AES_CM_128_HMAC_SHA1_32: Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
    }
)


class _Bench:
    """Where libsrtp works on a packet: its bytes, and their number."""

    __slots__ = ("bytes", "room", "size")

    def __init__(self) -> None:
        self.room: Any = ffi.new("char[]", LARGEST_PACKET + _TRAILER)
        self.bytes: Any = ffi.buffer(self.room)
        self.size: Any = ffi.new("int *")


class Session:
    """A session of libsrtp for one sender or one receiver."""

    __slots__ = ("_bench", "_context", "_operation", "_owner")

    def __init__(self, policy: Policy, bench: _Bench) -> None:
        self._owner: Any = pylibsrtp.Session(policy)  # frees the context when it goes
        self._context: Any = self._owner._srtp[0]
        self._bench = bench
        is_sender = policy.ssrc_type == Policy.SSRC_ANY_OUTBOUND
        self._operation: Any = lib.srtp_protect if is_sender else lib.srtp_unprotect

    def convert(self, packet: bytes) -> bytes:
        """Protect a packet of the sender, or unprotect one for the receiver; it has no MKI.

        Raises `SrtpError` with libsrtp's reason.
        """
        bench, count = self._bench, len(packet)
        if count > LARGEST_PACKET:
            raise SrtpError(TOO_LONG)
        bench.size[0] = count
        bench.bytes[:count] = packet
        status = self._operation(self._context, bench.room, bench.size)
        if status:
            raise SrtpError(pylibsrtp.ERRORS[status])
        converted: bytes = bench.bytes[: bench.size[0]]
        return converted

    def protect_with(self, packet: bytes, mki: bytes, tag_size: int) -> bytes:
        """Protect a packet and put an MKI in front of its tag. Raises `SrtpError`, also where it becomes too long."""
        bench, count, grown = self._bench, len(packet), len(mki)
        if count + grown + tag_size > LARGEST_PACKET:
            raise SrtpError(TOO_LONG)
        size, work = bench.size, bench.bytes
        size[0] = count
        work[:count] = packet
        status = self._operation(self._context, bench.room, size)
        if status:
            raise SrtpError(pylibsrtp.ERRORS[status])
        end = count + grown
        work[end : end + tag_size] = work[count : count + tag_size]
        work[count:end] = mki
        protected: bytes = work[: end + tag_size]
        return protected

    def payload(self, packet: bytes, start: int, end: int) -> bytes | None:
        """Unprotect a packet of at most 65,507 bytes without what stands from `start` to `end`: the MKI before the tag.

        Return what follows the fixed header, None where libsrtp refuses the packet, which then leaves no trace.
        """
        bench, count = self._bench, len(packet)
        size, work = bench.size, bench.bytes
        size[0] = bare = count - end + start
        work[:count] = packet
        work[start:bare] = packet[end:]
        if self._operation(self._context, bench.room, size):
            return None
        found: bytes = work[HEADER_SIZE : size[0]]
        return found


class SessionMaker:
    """Makes the sessions of one sender or receiver. They work in one buffer, so one thread uses them all."""

    def __init__(self, suite: SrtpSuite) -> None:
        self._suite = suite
        self._bench = _Bench()

    def sender(self, key: TrafficKey, ssrc: int, index: int) -> Session:
        """Return a sending session whose next packet may have this index. Raises `SrtpError`."""
        session = self._session(key, Policy.SSRC_ANY_OUTBOUND)
        for packet in _walk(ssrc, index):
            session.convert(packet)
        return session

    def receiver(self, key: TrafficKey, ssrc: int, index: int) -> Session:
        """Return a receiving session whose next packet may have this index. Raises `SrtpError`."""
        session = self._session(key, Policy.SSRC_ANY_INBOUND)
        if index >= SEQUENCES:
            sender = self.sender(key, ssrc, 0)
            for packet in _walk(ssrc, index):
                session.convert(sender.convert(packet))
        return session

    def _session(self, key: TrafficKey, direction: int) -> Session:
        policy = Policy(key=master_of(key), ssrc_type=direction, srtp_profile=_PROFILES[self._suite])
        return Session(policy, self._bench)


def _walk(ssrc: int, index: int) -> Iterator[bytes]:
    """Yield empty RTP packets that lead from index 0 to just outside the replay window of `index`."""
    if index < SEQUENCES:
        return
    end = index - _REPLAY_WINDOW - 1
    for step in (*range(_LONGEST_STEP, end, _LONGEST_STEP), end):
        yield b"\x80\x00" + (step % SEQUENCES).to_bytes(2, "big") + bytes(4) + ssrc.to_bytes(4, "big")
