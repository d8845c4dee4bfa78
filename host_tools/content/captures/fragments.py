"""Joins the fragments of IP packets (RFC 791 clause 3.2, RFC 8200 clause 4.5): what is larger than a link comes so.

Nothing is waited for by the clock. So many packets may be in pieces at a time; the oldest gives way. Pieces that
overlap never become a packet (RFC 5722).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

MOST_PACKETS = 64
"""Packets that may be in pieces at a time, each of at most 65,535 bytes."""

_MOST_PIECES = 128
_LARGEST = 65_535
_V4, _V4_LENGTH, _V4_FLAGS, _V4_CHECKSUM = 4, 2, 6, 10
_V6_LENGTH = 4


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of an IP packet. `name` is what the pieces of one packet have in common, `offset` is in bytes.

    `header` is the IP header without what is about fragments; in IPv6 its next header is that of the whole packet.
    """

    name: bytes
    header: bytes
    offset: int
    is_last: bool
    data: bytes


@dataclass(slots=True)
class _Pieces:
    parts: dict[int, bytes] = field(default_factory=dict)
    header: bytes = b""
    size: int | None = None


@dataclass(slots=True)
class Reassembler:
    """Takes fragments and gives whole packets. `given_up` counts fragments that never became one, `joined` the others.

    Of the fragments of a whole packet, `joined` leaves out one: that one is the packet.
    """

    joined: int = 0
    given_up: int = 0
    _waiting: OrderedDict[bytes, _Pieces] = field(default_factory=OrderedDict, repr=False)

    def put(self, fragment: Fragment) -> bytes | None:
        """Take a fragment; return the whole IP packet when it was the last that was missing."""
        end = fragment.offset + len(fragment.data)
        if end > _LARGEST:  # no packet is waited for that begins with such a piece
            self.given_up += 1
            return None
        pieces = self._waiting.setdefault(fragment.name, _Pieces())
        if fragment.offset in pieces.parts or len(pieces.parts) >= _MOST_PIECES:
            self.given_up += 1
            return None
        pieces.parts[fragment.offset] = fragment.data
        if fragment.offset == 0:
            pieces.header = fragment.header
        if fragment.is_last:
            pieces.size = end
        whole = _join(pieces)
        if whole is not None:
            del self._waiting[fragment.name]
            self.joined += len(pieces.parts) - 1
        while len(self._waiting) > MOST_PACKETS:
            self._give_up(self._waiting.popitem(last=False)[1])
        return whole

    def end(self) -> None:
        """Give up what still waits."""
        for pieces in self._waiting.values():
            self._give_up(pieces)
        self._waiting.clear()

    def _give_up(self, pieces: _Pieces) -> None:
        self.given_up += len(pieces.parts)


def _join(pieces: _Pieces) -> bytes | None:
    """Return the packet when the pieces fill it, each byte once."""
    if pieces.size is None or sum(map(len, pieces.parts.values())) != pieces.size:
        return None
    data = bytearray()
    for offset in sorted(pieces.parts):
        if offset != len(data):
            return None
        data += pieces.parts[offset]
    return _packet(pieces.header, bytes(data))


def _packet(header: bytes, data: bytes) -> bytes | None:
    """Return an IP packet of this header, with the length it has now; None where it would be too long."""
    made = bytearray(header)
    if header[0] >> 4 == _V4:
        if len(header) + len(data) > _LARGEST:
            return None
        made[_V4_LENGTH : _V4_LENGTH + 2] = (len(header) + len(data)).to_bytes(2, "big")
        made[_V4_FLAGS : _V4_FLAGS + 2] = made[_V4_CHECKSUM : _V4_CHECKSUM + 2] = bytes(2)
    else:
        made[_V6_LENGTH : _V6_LENGTH + 2] = len(data).to_bytes(2, "big")
    return bytes(made) + data
