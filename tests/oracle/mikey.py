"""LTKM, STKM and verification message, built and opened a second time from RFC 3830 and RFC 4563.

Shares no code with `card`: fixed layouts, string concatenation, its own AES. Where the specifications leave a
choice open (counter in the IV, identities in the verification code) it makes the same choice as the card.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from tests.oracle.aes import counter_mode


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha1).digest()


def prf(inkey: bytes, label: bytes, bits: int) -> bytes:
    blocks = -(-bits // 160)
    result = bytes(20 * blocks)
    while inkey:
        part, inkey = inkey[:32], inkey[32:]
        a, stream = label, b""
        for _ in range(blocks):
            a = _hmac(part, a)
            stream += _hmac(part, a + label)
        result = bytes(x ^ y for x, y in zip(result, stream, strict=True))
    return result[: bits // 8]


@dataclass(frozen=True)
class Keys:
    encryption: bytes
    authentication: bytes
    salt: bytes


def keys(psk: bytes, csb_id: int, rand: bytes) -> Keys:
    end = bytes([0xFF]) + csb_id.to_bytes(4, "big") + rand
    return Keys(
        prf(psk, bytes.fromhex("150533e1") + end, 128),
        prf(psk, bytes.fromhex("2d22ac75") + end, 160),
        prf(psk, bytes.fromhex("29b88916") + end, 112),
    )


def iv(salt: bytes, csb_id: int, timestamp: int) -> bytes:
    other = bytes(2) + csb_id.to_bytes(4, "big") + bytes(4) + timestamp.to_bytes(4, "big")
    return bytes(a ^ b for a, b in zip(salt, other, strict=True)) + bytes(2)


def _two(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def _kemac(made: Keys, csb_id: int, timestamp: int, before: bytes, plain: bytes) -> bytes:
    encrypted = counter_mode(made.encryption, iv(made.salt, csb_id, timestamp), plain)
    whole = before + b"\x00\x01" + _two(encrypted) + b"\x01"
    return whole + _hmac(made.authentication, whole)


def _key_id_extension(following: int, identifiers: list[bytes], bcast: bytes | None) -> bytes:
    data = b"".join(bytes([kind, len(item)]) + item for kind, item in enumerate(identifiers))
    if bcast is None:
        return bytes([following, 3]) + _two(data)
    return bytes([21, 3]) + _two(data) + bytes([following, 5]) + _two(bcast)


@dataclass(frozen=True)
class Ltkm:
    psk: bytes
    csb_id: int
    rand: bytes
    timestamp: int
    id_i: bytes
    id_r: bytes
    key_domain_id: bytes
    msk_id: bytes
    msk: bytes
    lower: bytes
    upper: bytes
    verify: bool = True
    bcast: bytes | None = None

    def build(self) -> bytes:
        plain = b"\x00\x22" + _two(self.msk)
        plain += bytes([len(self.lower)]) + self.lower + bytes([len(self.upper)]) + self.upper
        before = bytes([1, 0, 21, 0x80 if self.verify else 0]) + self.csb_id.to_bytes(4, "big") + b"\x00\x01"
        before += _key_id_extension(5, [self.key_domain_id, self.msk_id], self.bcast)
        before += b"\x0b\x02" + self.timestamp.to_bytes(4, "big")
        before += b"\x06" + bytes([len(self.rand)]) + self.rand
        before += b"\x06\x01" + _two(self.id_i) + b"\x01\x00" + _two(self.id_r)
        return _kemac(keys(self.psk, self.csb_id, self.rand), self.csb_id, self.timestamp, before, plain)

    def build_verification(self) -> bytes:
        message = b"\x01\x01\x05\x00" + self.csb_id.to_bytes(4, "big") + b"\x00\x01"
        message += b"\x06\x02" + self.timestamp.to_bytes(4, "big") + b"\x09\x00" + _two(self.id_r) + b"\x00\x01"
        covered = message + self.id_i + self.id_r + self.timestamp.to_bytes(4, "big")
        return message + _hmac(keys(self.psk, self.csb_id, self.rand).authentication, covered)


@dataclass(frozen=True)
class Stkm:
    psk: bytes
    csb_id: int
    rand: bytes
    timestamp: int
    key_domain_id: bytes
    msk_id: bytes
    mtk_id: bytes
    tek: bytes
    salt: bytes | None = None
    bcast: bytes | None = None

    def build(self) -> bytes:
        plain = (b"\x00\x20" if self.salt is None else b"\x00\x30") + _two(self.tek)
        plain += b"" if self.salt is None else _two(self.salt)
        before = bytes([1, 0, 21, 0]) + self.csb_id.to_bytes(4, "big") + b"\x00\x01"
        before += _key_id_extension(5, [self.key_domain_id, self.msk_id, self.mtk_id], self.bcast)
        before += b"\x01\x02" + self.timestamp.to_bytes(4, "big")
        return _kemac(keys(self.psk, self.csb_id, self.rand), self.csb_id, self.timestamp, before, plain)


def open_kemac(psk: bytes, rand: bytes, message: bytes) -> bytes | None:
    """Return the plain key data of a message that ends with KEMAC, or `None` when its code is wrong.

    Walks the payloads by their numbers with the sizes of RFC 3830 and knows LTKM and STKM only.
    """
    csb_id = int.from_bytes(message[4:8], "big")
    made = keys(psk, csb_id, rand)
    if _hmac(made.authentication, message[:-20]) != message[-20:]:
        return None
    kind, position, timestamp = message[2], 10, 0
    while kind != 1:
        size = {5: 6, 11: 2 + message[position + 1]}.get(kind)
        if size is None:
            size = 4 + int.from_bytes(message[position + 2 : position + 4], "big")
        if kind == 5:
            timestamp = int.from_bytes(message[position + 2 : position + 6], "big")
        kind, position = message[position], position + size
    encrypted = message[position + 4 : -21]
    return counter_mode(made.encryption, iv(made.salt, csb_id, timestamp), encrypted)
