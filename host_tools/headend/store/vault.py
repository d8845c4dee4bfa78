"""Secrets in the database: as they are, or encrypted under a key that is kept elsewhere.

AES-256-GCM with a random nonce. The tag covers table, column and row, so a value that is moved to another place cannot
be read there.
"""

from __future__ import annotations

import secrets
import struct
from typing import Protocol

from card.crypto.primitives import AesGcm
from card.crypto.secret import Secret
from host_tools.headend.store.errors import StoreError

KEY_SIZE = 32
_NONCE_SIZE = 12
_PLAIN, _SEALED = b"\0", b"\1"
_SIZE = struct.Struct(">I")


class Vault(Protocol):
    """Writes and reads secrets. A place is table, column, and the key of the row."""

    def seal(self, place: tuple[str, str, str], value: bytes, /) -> bytes:
        """Return a secret as it is stored at a place."""

    def unseal(self, place: tuple[str, str, str], stored: bytes, /) -> bytes:
        """Return the secret that is stored at a place. Raises `StoreError`."""


class OpenVault:
    """Stores secrets as they are: whoever reads the database has them."""

    def seal(self, place: tuple[str, str, str], value: bytes) -> bytes:
        """Return a secret as it is stored at a place."""
        del place
        return _PLAIN + value

    def unseal(self, place: tuple[str, str, str], stored: bytes) -> bytes:
        """Return the secret that is stored at a place. Raises `StoreError`."""
        if stored[:1] != _PLAIN:
            raise StoreError(f"{'.'.join(place[:2])} is encrypted: --key-file is wanted")
        return bytes(stored[1:])


class KeyVault:
    """Stores secrets encrypted."""

    def __init__(self, key: Secret) -> None:
        """Take the key (32 bytes)."""
        self._cipher = AesGcm(key.reveal())

    def seal(self, place: tuple[str, str, str], value: bytes) -> bytes:
        """Return a secret as it is stored at a place."""
        nonce = secrets.token_bytes(_NONCE_SIZE)
        return _SEALED + nonce + self._cipher.seal(nonce, value, _bound(place))

    def unseal(self, place: tuple[str, str, str], stored: bytes) -> bytes:
        """Return the secret that is stored at a place. Raises `StoreError`."""
        found = None
        if stored[:1] == _SEALED:
            nonce, sealed = stored[1 : 1 + _NONCE_SIZE], stored[1 + _NONCE_SIZE :]
            found = self._cipher.unseal(nonce, sealed, _bound(place))
        if found is None:
            raise StoreError(f"{'.'.join(place[:2])} was not written under this key, or not in this row")
        return found


def _bound(place: tuple[str, str, str]) -> bytes:
    table, column, row = map(str.encode, place)
    size = _SIZE.pack
    return b"".join((size(len(table)), table, size(len(column)), column, size(len(row)), row))
