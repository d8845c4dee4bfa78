"""Finds the roll-over counter of an SRTP packet by its authentication tag (RFC 3711 clauses 3.3.1, 4.2 and 4.3).

No packet carries the counter, but the tag covers it. A receiver that tunes in to a broadcast that has run
for hours holds the key and can therefore try which counter the tag was made with.
"""

from __future__ import annotations

from card.crypto.primitives import AesBlock, equal_bytes, hmac_sha1
from host_tools.media.traffic_key import SALT_SIZE, TEK_SIZE, TrafficKey

MOST_ROLL_OVERS = 1024  # two weeks of audio at 50 packets a second

_AUTHENTICATION_LABEL = 1
_AUTHENTICATION_KEY_SIZE = 20


def find_roc(packet: bytes, tag_size: int, key: TrafficKey) -> int | None:
    """Return the counter, below 1024, under which `packet` (without MKI) authenticates, or `None`."""
    authenticated, tag = packet[:-tag_size], packet[-tag_size:]
    authentication_key = _authentication_key(key)
    for roc in range(MOST_ROLL_OVERS):
        if equal_bytes(hmac_sha1(authentication_key, authenticated + roc.to_bytes(4, "big"))[:tag_size], tag):
            return roc
    return None


def _authentication_key(key: TrafficKey) -> bytes:
    """Return the session authentication key (20 bytes) of RFC 3711 clause 4.3.1, key derivation rate 0."""
    master = key.master()
    salt = int.from_bytes(master[TEK_SIZE:], "big") ^ _AUTHENTICATION_LABEL << 48
    counter_block = salt.to_bytes(SALT_SIZE, "big") + bytes(2)
    return AesBlock(master[:TEK_SIZE]).counter_mode(counter_block, bytes(_AUTHENTICATION_KEY_SIZE))
