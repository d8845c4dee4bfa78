"""Checks the authentication tag of SRTP packets, and so finds their roll-over counter.

RFC 3711 clauses 3.3.1 (index), 4.2 (tag) and 4.3 (session keys).

No packet carries the counter, but the tag covers it. A receiver that tunes in to a broadcast that has run
for hours holds the key and can therefore try which counter the tag was made with. In the same way it finds the key of
a packet that does not name one.
"""

from __future__ import annotations

from card.crypto.primitives import AesCounter, equal_bytes, hmac_sha1
from host_tools.content.srtp.keys import SALT_SIZE, TEK_SIZE, master_of
from host_tools.content.traffic_key import TrafficKey

MOST_ROLL_OVERS = 1024  # two weeks of audio at 50 packets a second

_AUTHENTICATION_LABEL = 1
_AUTHENTICATION_KEY_SIZE = 20


class Authenticator:
    """The tags of one key; packets are given without their MKI."""

    def __init__(self, key: TrafficKey, tag_size: int) -> None:
        """Take the key and the size of its tags in bytes. Raises `SrtpError` for a key of a wrong size."""
        self._key = _authentication_key(key)
        self._tag_size = tag_size

    def fits(self, packet: bytes, roc: int) -> bool:
        """Tell whether `packet` authenticates under this roll-over counter."""
        authenticated, tag = packet[: -self._tag_size], packet[-self._tag_size :]
        made = hmac_sha1(self._key, authenticated + roc.to_bytes(4, "big"))
        return equal_bytes(made[: self._tag_size], tag)

    def find_roc(self, packet: bytes) -> int | None:
        """Return the counter, below 1024, under which `packet` authenticates, or `None`."""
        return next((roc for roc in range(MOST_ROLL_OVERS) if self.fits(packet, roc)), None)


def _authentication_key(key: TrafficKey) -> bytes:
    """Return the session authentication key (20 bytes) of RFC 3711 clause 4.3.1, key derivation rate 0."""
    master = master_of(key)
    salt = int.from_bytes(master[TEK_SIZE:], "big") ^ _AUTHENTICATION_LABEL << 48
    counter_block = salt.to_bytes(SALT_SIZE, "big") + bytes(2)
    return AesCounter(master[:TEK_SIZE]).apply(counter_block, bytes(_AUTHENTICATION_KEY_SIZE))
