"""The hashes of HTTP Digest (RFC 2617 clause 3.2.2, RFC 7616 clause 3.4, RFC 3310 clause 3.3)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType

from card.crypto.secret import Secret
from card.lean import lean_dataclass


class Algorithm(Enum):
    """What hashes, by the name in a header."""

    MD5 = "MD5"
    MD5_SESS = "MD5-sess"
    SHA_256 = "SHA-256"
    SHA_256_SESS = "SHA-256-sess"
    AKA_V1_MD5 = "AKAv1-MD5"

    @property
    def is_session(self) -> bool:
        """True when nonce and cnonce of the first request go into the hash of the password."""
        return self in (Algorithm.MD5_SESS, Algorithm.SHA_256_SESS)


class Qop(Enum):
    """What is protected: the request line, or the body as well."""

    AUTH = "auth"
    AUTH_INT = "auth-int"


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data, usedforsecurity=False).hexdigest()


_HASH_OF: Mapping[Algorithm, Callable[[bytes], str]] = MappingProxyType(
    {
        Algorithm.MD5: _md5,
        Algorithm.MD5_SESS: _md5,
        Algorithm.SHA_256: _sha256,
        Algorithm.SHA_256_SESS: _sha256,
        Algorithm.AKA_V1_MD5: _md5,
    }
)


@lean_dataclass(frozen=True, slots=True)
class Asked:
    """What the hash covers of a request, or of an answer: then `method` is empty (RFC 2617 clause 3.2.3)."""

    method: str
    uri: str
    body: bytes = b""


@lean_dataclass(frozen=True, slots=True)
class Proof:
    """The values that bind a hash to one use of a nonce. Without `qop` there is neither count nor cnonce."""

    algorithm: Algorithm
    username: str
    realm: str
    nonce: str
    qop: Qop | None = Qop.AUTH_INT
    nc: int = 1
    cnonce: str = ""


def digest(proof: Proof, password: Secret, asked: Asked) -> str:
    """Return the response, or with an empty method the rspauth, in lower-case hex.

    All texts are ISO 8859-1, octet by octet. Raises `UnicodeEncodeError` for other characters.
    """
    hashed = _HASH_OF[proof.algorithm]
    who = hashed(_octets(f"{proof.username}:{proof.realm}:") + password.reveal())
    if proof.algorithm.is_session:
        who = hashed(_octets(f"{who}:{proof.nonce}:{proof.cnonce}"))
    what = f"{asked.method}:{asked.uri}"
    if proof.qop is Qop.AUTH_INT:
        what += ":" + hashed(asked.body)
    what = hashed(_octets(what))
    if proof.qop is None:
        return hashed(_octets(f"{who}:{proof.nonce}:{what}"))
    bound = f"{who}:{proof.nonce}:{proof.nc:08x}:{proof.cnonce}:{proof.qop.value}:{what}"
    return hashed(_octets(bound))


def is_digest(shown: str, proof: Proof, password: Secret, asked: Asked) -> bool:
    """Tell whether `shown` is the right hash, in either case of its letters; compares in constant time."""
    expected = digest(proof, password, asked)
    return hmac.compare_digest(_octets(shown.lower()), expected.encode())


def _octets(text: str) -> bytes:
    return text.encode("latin-1")
