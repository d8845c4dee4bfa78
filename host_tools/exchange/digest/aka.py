"""HTTP Digest AKA: how RAND and AUTN travel in a nonce (RFC 3310 clause 3.2, TS 24.109 clause 4.2).

The password is RES itself, as binary octets, and empty where the card found the sequence number stale and answers with
AUTS (RFC 3310 clause 3.4).
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from card.crypto.secret import Secret
from card.errors import DecodeError

RAND_SIZE = 16
AUTN_SIZE = 16
NO_PASSWORD = Secret(b"")
"""The password of a request with AUTS."""
_LARGEST = 512


@dataclass(frozen=True, slots=True)
class AkaNonce:
    """RAND and AUTN, or AUTN* of GBA_U (16 bytes each). What a server adds behind them is not looked at."""

    rand: bytes
    autn: bytes

    def text(self) -> str:
        """Return the nonce. Nothing is added behind AUTN, as one public client wants exactly 32 octets."""
        return base64.b64encode(self.rand + self.autn).decode()

    @classmethod
    def parse(cls, nonce: str) -> AkaNonce:
        """Read a nonce. Raises `DecodeError` for one that is no base64, too short, or longer than 512 bytes."""
        try:
            data = base64.b64decode(nonce.encode("latin-1"), validate=True)
        except (binascii.Error, ValueError):
            raise DecodeError("the nonce is not base64") from None
        if not RAND_SIZE + AUTN_SIZE <= len(data) <= _LARGEST:
            raise DecodeError(f"a nonce with RAND and AUTN has 32 to {_LARGEST} bytes, not {len(data)}")
        return cls(data[:RAND_SIZE], data[RAND_SIZE : RAND_SIZE + AUTN_SIZE])
