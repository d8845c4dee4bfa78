"""HTTP digest with MD5, written from RFC 2617 clause 3.2.2: a response, or the rspauth of an answer."""

from __future__ import annotations

import hashlib


def _md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def ha1(username: str, realm: str, password: bytes) -> str:
    return _md5(f"{username}:{realm}:".encode() + password)


def ha2(method: str, uri: str, qop: str, body: bytes) -> str:
    """`method` is empty for rspauth (clause 3.2.3)."""
    return _md5(f"{method}:{uri}".encode() + (b":" + _md5(body).encode() if qop == "auth-int" else b""))


def response(first: str, nonce: str, nc: str, cnonce: str, qop: str, second: str) -> str:
    return _md5(":".join((first, nonce, nc, cnonce, qop, second)).encode())
