"""How a challenge for a CSIM travels in an HTTP nonce, and its card's response as a password. Both ends use it.

provisional: nothing says how the Auth-Key becomes a digest password.
"""

from __future__ import annotations

import base64
import binascii

from card.crypto.secret import Secret
from card.errors import DecodeError

RAND_SIZE = 16
CHALLENGE_SIZE = 16


def join_nonce(rand: bytes, challenge: bytes) -> str:
    """Return the nonce for RAND and challenge (16 bytes each)."""
    return base64.b64encode(rand + challenge).decode()


def split_nonce(nonce: str) -> tuple[bytes, bytes]:
    """Return RAND and challenge (16 bytes each) of a nonce. Raises `DecodeError` for any other text."""
    try:
        data = base64.b64decode(nonce.encode("latin-1"), validate=True)
    except (binascii.Error, ValueError):
        raise DecodeError("the nonce is not base64") from None
    if len(data) != RAND_SIZE + CHALLENGE_SIZE:
        raise DecodeError(f"the nonce has {len(data)} bytes, not {RAND_SIZE + CHALLENGE_SIZE}")
    return data[:RAND_SIZE], data[RAND_SIZE:]


def one_time_password(response: bytes) -> Secret:
    """Return the response of a card in the form in which it serves as HTTP password."""
    return Secret(base64.b64encode(response))
