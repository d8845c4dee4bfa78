"""HTTP digest with SHA-256 (RFC 7616 clause 3.4), as far as a request under a one-time password needs it.

Both ends use it: the terminal answers a challenge, the head-end checks the answer.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from card.crypto.secret import Secret


@dataclass(frozen=True, slots=True)
class DigestChallenge:
    """What a server sends with 401: realm and nonce."""

    realm: str
    nonce: str


@dataclass(frozen=True, slots=True)
class DigestAnswer:
    """What a client sends in `Authorization`; `qop` is "auth" and the nonce count 1."""

    username: str
    realm: str
    nonce: str
    uri: str
    cnonce: str
    response: str = field(repr=False)


def answer_challenge(
    challenge: DigestChallenge, username: str, password: Secret, method: str, uri: str, cnonce: str
) -> DigestAnswer:
    """Return the answer of `username` to a challenge, for one request."""
    response = _response(challenge, username, password, method, uri, cnonce)
    return DigestAnswer(username, challenge.realm, challenge.nonce, uri, cnonce, response)


def is_right(answer: DigestAnswer, challenge: DigestChallenge, password: Secret, method: str) -> bool:
    """Tell whether an answer fits the challenge and was made with the password; compares in constant time."""
    if (answer.realm, answer.nonce) != (challenge.realm, challenge.nonce):
        return False
    expected = _response(challenge, answer.username, password, method, answer.uri, answer.cnonce)
    return hmac.compare_digest(expected.encode(), answer.response.encode())


def _response(challenge: DigestChallenge, username: str, password: Secret, method: str, uri: str, cnonce: str) -> str:
    who = _hash(f"{username}:{challenge.realm}:".encode() + password.reveal())
    what = _hash(f"{method}:{uri}".encode())
    return _hash(f"{who}:{challenge.nonce}:00000001:{cnonce}:auth:{what}".encode())


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
