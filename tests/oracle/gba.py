"""GBA keys, written a second time from TS 33.220 annex B. Shares no code with `card`."""

from __future__ import annotations

import hashlib
import hmac
import struct
from base64 import b64encode


def kdf(key: bytes, *params: bytes) -> bytes:
    message = b"\x01"
    for param in params:
        message += param
        message += struct.pack(">H", len(param))
    return hmac.new(key, message, hashlib.sha256).digest()


def ks_ext_naf(ks: bytes, rand: bytes, impi: bytes, naf_id: bytes) -> bytes:
    return kdf(ks, b"gba-me", rand, impi, naf_id)


def ks_int_naf(ks: bytes, rand: bytes, impi: bytes, naf_id: bytes) -> bytes:
    return kdf(ks, b"gba-u", rand, impi, naf_id)


def autn_star(autn: bytes, ik: bytes) -> bytes:
    digest = hashlib.sha1(ik).digest()
    return autn[:8] + bytes(autn[8 + index] ^ digest[index] for index in range(8))


def b_tid(rand: bytes, bsf_name: bytes) -> bytes:
    return b64encode(rand) + b"@" + bsf_name
