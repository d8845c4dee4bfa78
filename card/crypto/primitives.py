"""AES, HMAC and SHA for the rest of the card; the only module that imports `cryptography`.

Building a cipher object costs more than an AES block, so what runs several blocks under one key keeps an
`AesBlock`.
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB
from cryptography.hazmat.primitives.cmac import CMAC

BLOCK_SIZE = 16
_LAST_COUNTER = (1 << 8 * BLOCK_SIZE) - 1


class AesBlock:
    """AES encryption of single blocks under one key (16, 24 or 32 bytes)."""

    __slots__ = ("_update",)

    def __init__(self, key: bytes) -> None:
        self._update = Cipher(AES(key), ECB()).encryptor().update

    def encrypt(self, block: bytes) -> bytes:
        """Encrypt one or several 16-byte blocks, each on its own; returns as many bytes as came in."""
        if len(block) % BLOCK_SIZE:
            # A rest would stay in the encryptor's buffer and come out with the next call.
            raise ValueError("AES takes whole blocks")
        return self._update(block)

    def counter_mode(self, counter: bytes, data: bytes) -> bytes:
        """Encrypt or decrypt `data` in counter mode; `counter` is the first 16-byte counter block."""
        first, count = int.from_bytes(counter, "big"), -(-len(data) // BLOCK_SIZE)
        blocks = b"".join([(first + i & _LAST_COUNTER).to_bytes(BLOCK_SIZE, "big") for i in range(count)])
        return xor_bytes(data, self._update(blocks)[: len(data)])

    def __repr__(self) -> str:
        return "AesBlock()"


def aes_ecb_encrypt(key: bytes, block: bytes) -> bytes:
    """Encrypt whole 16-byte blocks under `key`."""
    return AesBlock(key).encrypt(block)


def aes_ecb_decrypt(key: bytes, block: bytes) -> bytes:
    """Decrypt whole 16-byte blocks under `key`."""
    decryptor = Cipher(AES(key), ECB()).decryptor()
    return decryptor.update(block) + decryptor.finalize()


def aes_cbc_encrypt(key: bytes, iv: bytes, data: bytes) -> bytes:
    """Encrypt whole 16-byte blocks in CBC mode; `iv` has 16 bytes. Padding is the caller's business."""
    encryptor = Cipher(AES(key), CBC(iv)).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def aes_cbc_decrypt(key: bytes, iv: bytes, data: bytes) -> bytes:
    """Decrypt whole 16-byte blocks in CBC mode. Verify their MAC first; the padding is left in place."""
    decryptor = Cipher(AES(key), CBC(iv)).decryptor()
    return decryptor.update(data) + decryptor.finalize()


def aes_cmac(key: bytes, data: bytes) -> bytes:
    """Return AES-CMAC (16 bytes; NIST SP 800-38B)."""
    mac = CMAC(AES(key))
    mac.update(data)
    return mac.finalize()


def hmac_sha1(key: bytes, data: bytes) -> bytes:
    """Return HMAC-SHA-1 (20 bytes)."""
    return hmac.digest(key, data, "sha1")


def hmac_sha256(key: bytes, data: bytes) -> bytes:
    """Return HMAC-SHA-256 (32 bytes)."""
    return hmac.digest(key, data, "sha256")


def sha256(data: bytes) -> bytes:
    """Return SHA-256 (32 bytes)."""
    return hashlib.sha256(data).digest()


def sha1(data: bytes) -> bytes:
    """Return SHA-1 (20 bytes)."""
    return hashlib.sha1(data).digest()


def equal_bytes(left: bytes, right: bytes) -> bool:
    """Compare in a time that does not depend on where the bytes differ."""
    return hmac.compare_digest(left, right)


def xor_bytes(first: bytes, *others: bytes) -> bytes:
    """Return the exclusive or of byte strings of one length. Raises `ValueError` when the lengths differ."""
    result = int.from_bytes(first, "big")
    for other in others:
        if len(other) != len(first):
            raise ValueError("exclusive or of different lengths")
        result ^= int.from_bytes(other, "big")
    return result.to_bytes(len(first), "big")
