"""Cryptography of GlobalPlatform Secure Channel Protocol 03 with AES-128 (GPC Amendment D)."""

from __future__ import annotations

from enum import IntEnum

from card.crypto.primitives import aes_cbc_decrypt, aes_cbc_encrypt, aes_cmac, aes_ecb_encrypt
from card.crypto.secret import Secret
from card.lean import lean_dataclass

CHALLENGE_SIZE = CRYPTOGRAM_SIZE = MAC_SIZE = 8
_BLOCK = 16


class _Constant(IntEnum):
    """What is derived (Amendment D clause 4.1.5)."""

    CARD_CRYPTOGRAM = 0x00
    HOST_CRYPTOGRAM = 0x01
    ENCRYPTION = 0x04
    MAC = 0x06
    RESPONSE_MAC = 0x07


@lean_dataclass(frozen=True, slots=True)
class SessionKeys:
    """S-ENC, S-MAC and S-RMAC, 16 bytes each."""

    encryption: Secret
    mac: Secret
    response_mac: Secret


def derive_session_keys(key_enc: Secret, key_mac: Secret, context: bytes) -> SessionKeys:
    """Derive the session keys from the static keys; `context` is host challenge and card challenge (16 bytes)."""
    return SessionKeys(
        Secret(_derive(key_enc, _Constant.ENCRYPTION, context, 16)),
        Secret(_derive(key_mac, _Constant.MAC, context, 16)),
        Secret(_derive(key_mac, _Constant.RESPONSE_MAC, context, 16)),
    )


def card_cryptogram(keys: SessionKeys, context: bytes) -> bytes:
    """Return the card's proof (8 bytes)."""
    return _derive(keys.mac, _Constant.CARD_CRYPTOGRAM, context, CRYPTOGRAM_SIZE)


def host_cryptogram(keys: SessionKeys, context: bytes) -> bytes:
    """Return the host's proof (8 bytes)."""
    return _derive(keys.mac, _Constant.HOST_CRYPTOGRAM, context, CRYPTOGRAM_SIZE)


def chained_mac(key: Secret, chain: bytes, covered: bytes) -> bytes:
    """Return the full MAC (16 bytes): its first 8 travel, all of it is the next command's chaining value."""
    return aes_cmac(key.reveal(), chain + covered)


def encrypt_response(keys: SessionKeys, counter: int, text: bytes) -> bytes:
    """Encrypt response data, padded with 80 00…, for the command with number `counter`."""
    padded = text + b"\x80"
    padded += bytes(-len(padded) % _BLOCK)
    key = keys.encryption.reveal()
    return aes_cbc_encrypt(key, aes_ecb_encrypt(key, b"\x80" + counter.to_bytes(15, "big")), padded)


def decrypt_command(keys: SessionKeys, counter: int, encrypted: bytes) -> bytes:
    """Decrypt the padded data of the command with number `counter`; verify its MAC first."""
    key = keys.encryption.reveal()
    return aes_cbc_decrypt(key, aes_ecb_encrypt(key, counter.to_bytes(16, "big")), encrypted)


def _derive(key: Secret, constant: _Constant, context: bytes, size: int) -> bytes:
    """KDF in counter mode with CMAC (NIST SP 800-108): one block is enough for 16 bytes."""
    block = bytes(11) + bytes((constant, 0)) + (8 * size).to_bytes(2, "big") + b"\x01" + context
    return aes_cmac(key.reveal(), block)[:size]
