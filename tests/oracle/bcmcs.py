"""BCMCS keys and files a second time, from docs/spec/csim.md. Shares no code with `card`.

The IMSI is read as a public terminal stack reads it: by offsets, masks and an adjusted digit.
"""

from __future__ import annotations

import hashlib
import hmac

from tests.oracle import aes


def _f(key: bytes, label: str, *parts: bytes) -> bytes:
    data = b"".join(parts)
    text = label.encode() + bytes(1) + data + bytes([len(data) // 256, len(data) % 256])
    return hmac.new(key, text, hashlib.sha256).digest()[:16]


def tk(rk: bytes, tk_rand: bytes) -> bytes:
    return _f(rk, "TK", tk_rand)


def auth_key(rk: bytes, rand: bytes) -> bytes:
    return _f(rk, "AUTH", rand)


def sealed_bak(rk: bytes, tk_rand: bytes, bak: bytes) -> bytes:
    return aes.encrypt(tk(rk, tk_rand), bak)


def sk(bak: bytes, sk_rand: bytes) -> bytes:
    return _f(bak, "SK", sk_rand)


def srtp_sk(bak: bytes, sk_rand: bytes, packet_index: bytes) -> bytes:
    return _f(bak, "SRTP", sk_rand, packet_index)


def signature(bak: bytes, flow_id: bytes, bak_id: bytes, timestamp: bytes) -> bytes:
    return _f(bak, "SIG", flow_id, bak_id, timestamp)[:4]


def response(rk: bytes, rand: bytes, challenge: bytes) -> bytes:
    return _f(auth_key(rk, rand), "RESP", challenge)


def _digits(value: int, count: int) -> str:
    """Add 111 (or 11) and let a digit 10 be 0, place by place from the right."""
    adjusted = value
    for place in range(count):
        power = 10**place
        adjusted += power
        if adjusted // power % 10 == 0:
            adjusted -= 10 * power
    return f"{adjusted:0{count}d}"[-count:]


def read_imsi_m(data: bytes) -> str:
    if not data[7] & 0x80:
        return ""
    mcc = (data[9] & 3) << 8 | data[8]
    first = (data[2] & 3) << 8 | data[1]
    second = (data[5] << 8 | data[4]) >> 6
    fourth = data[4] >> 2 & 0xF
    last = (data[4] & 3) << 8 | data[3]
    number = _digits(first, 3) + _digits(second, 3) + str(0 if fourth > 9 else fourth) + _digits(last, 3)
    return _digits(mcc, 3) + _digits(data[6] & 0x7F, 2) + number


def read_mdn(data: bytes) -> str:
    found = ""
    for byte in data[1:]:
        for half in (byte & 0xF, byte >> 4):
            if len(found) < data[0] & 0xF:
                found += str(half if half < 10 else 0)
    return found
