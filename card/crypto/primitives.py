"""AES, HMAC and SHA for the rest of the card; the only module that imports `cryptography`.

Building a cipher object costs more than an AES block, and setting up an HMAC more than a short message, so what works
under one key for long keeps an `AesBlock`, an `AesCounter`, an `AesGcm` or an `HmacSha1`.
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import keywrap
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, CTR, ECB
from cryptography.hazmat.primitives.cmac import CMAC

BLOCK_SIZE = 16
_HMAC_BLOCK = 64  # bytes that SHA-1 takes at a time
_INNER_PAD, _OUTER_PAD = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))


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

    def __repr__(self) -> str:
        return "AesBlock()"


class AesCounter:
    """AES in counter mode under one key (16, 24 or 32 bytes)."""

    __slots__ = ("_begin", "_update")

    def __init__(self, key: bytes) -> None:
        context = Cipher(AES(key), CTR(bytes(BLOCK_SIZE))).encryptor()
        self._begin, self._update = context.reset_nonce, context.update

    def apply(self, counter: bytes, data: bytes) -> bytes:
        """Encrypt or decrypt `data`; `counter` is the first 16-byte counter block."""
        self._begin(counter)
        return self._update(data)

    def __repr__(self) -> str:
        return "AesCounter()"


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


class AesGcm:
    """AES-GCM under one key (16, 24 or 32 bytes)."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, nonce: bytes, data: bytes, bound: bytes) -> bytes:
        """Return `data` encrypted and its tag (16 bytes more); the tag covers `bound`, too.

        `nonce` (12 bytes) is used once under a key.
        """
        return self._cipher.encrypt(nonce, data, bound)

    def unseal(self, nonce: bytes, sealed: bytes, bound: bytes) -> bytes | None:
        """Return what `seal` was given, None when the tag is wrong."""
        try:
            return self._cipher.decrypt(nonce, sealed, bound)
        except InvalidTag:
            return None


def aes_cmac(key: bytes, data: bytes) -> bytes:
    """Return AES-CMAC (16 bytes; NIST SP 800-38B)."""
    mac = CMAC(AES(key))
    mac.update(data)
    return mac.finalize()


class HmacSha1:
    """HMAC-SHA-1 under one key (RFC 2104): what SHA-1 makes of the two pads is kept."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        padded = (key if len(key) <= _HMAC_BLOCK else sha1(key)).ljust(_HMAC_BLOCK, b"\0")
        self._inner = hashlib.sha1(padded.translate(_INNER_PAD))
        self._outer = hashlib.sha1(padded.translate(_OUTER_PAD))

    def digest(self, data: bytes) -> bytes:
        """Return the code of `data` (20 bytes)."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(data)
        outer.update(inner.digest())
        return outer.digest()

    def __repr__(self) -> str:
        return "HmacSha1()"


def aes_key_wrap(key: bytes, data: bytes) -> bytes:
    """Wrap a key of whole 8-byte blocks, two or more, under `key` (RFC 3394); returns 8 bytes more."""
    return keywrap.aes_key_wrap(key, data)


def aes_key_unwrap(key: bytes, wrapped: bytes) -> bytes | None:
    """Unwrap a key (RFC 3394); None when it was not wrapped under `key`."""
    try:
        return keywrap.aes_key_unwrap(key, wrapped)
    except (keywrap.InvalidUnwrap, ValueError):
        return None


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
