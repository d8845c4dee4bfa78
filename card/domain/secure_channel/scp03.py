"""A session of GlobalPlatform SCP03 at its highest security level: C-MAC, C-ENC, R-MAC, R-ENC (GPC Amendment D)."""

from __future__ import annotations

from dataclasses import field, replace

from card.crypto.primitives import equal_bytes
from card.crypto.scp03 import (
    MAC_SIZE,
    SessionKeys,
    card_cryptogram,
    chained_mac,
    decrypt_command,
    derive_session_keys,
    encrypt_response,
    host_cryptogram,
)
from card.domain.secure_channel.errors import ContainerRejected
from card.domain.secure_channel.settings import StoredScp03
from card.lean import lean_dataclass

_BLOCK = 16


@lean_dataclass(frozen=True, slots=True)
class Scp03Session:
    """The state of a session. `context` is host and card challenge; `counter` counts commands once it is open."""

    keys: SessionKeys
    context: bytes
    chain: bytes = field(default=bytes(16), repr=False)
    counter: int = 0
    is_open: bool = False

    @classmethod
    def begin(cls, static: StoredScp03, host_challenge: bytes, card_challenge: bytes) -> Scp03Session:
        """Derive the session keys from the challenges (8 bytes each)."""
        context = host_challenge + card_challenge
        return cls(derive_session_keys(static.key_enc, static.key_mac, context), context)

    def cryptogram(self) -> bytes:
        """Return the card's proof (8 bytes)."""
        return card_cryptogram(self.keys, self.context)

    def open(self, header: bytes, data: bytes) -> Scp03Session:
        """Check the host's proof: cryptogram and C-MAC (8 bytes each). Raises `ContainerRejected`."""
        checked, cryptogram = self._check_mac(header, data)
        if self.is_open or not equal_bytes(cryptogram, host_cryptogram(self.keys, self.context)):
            raise ContainerRejected
        return replace(checked, is_open=True)

    def unwrap(self, header: bytes, data: bytes) -> tuple[Scp03Session, bytes]:
        """Return the session after a command, and the command's plain data.

        `header` is class byte (with channel 0), INS, P1, P2 and Lc as sent. Raises `ContainerRejected`.
        """
        if not self.is_open:
            raise ContainerRejected
        checked, encrypted = self._check_mac(header, data)
        counted = replace(checked, counter=self.counter + 1)
        return counted, self._decrypt(counted.counter, encrypted)

    def wrap(self, data: bytes, sw: int) -> bytes:
        """Return response data, encrypted where there are any, with the R-MAC over them and the status word."""
        encrypted = encrypt_response(self.keys, self.counter, data) if data else b""
        mac = chained_mac(self.keys.response_mac, self.chain, encrypted + sw.to_bytes(2, "big"))
        return encrypted + mac[:MAC_SIZE]

    def _check_mac(self, header: bytes, data: bytes) -> tuple[Scp03Session, bytes]:
        body, mac = data[:-MAC_SIZE], data[-MAC_SIZE:]
        chain = chained_mac(self.keys.mac, self.chain, header + body)
        if not equal_bytes(chain[:MAC_SIZE], mac):
            raise ContainerRejected
        return replace(self, chain=chain), body

    def _decrypt(self, counter: int, encrypted: bytes) -> bytes:
        if not encrypted:
            return b""
        if len(encrypted) % _BLOCK:
            raise ContainerRejected
        text = decrypt_command(self.keys, counter, encrypted).rstrip(b"\0")
        if not text.endswith(b"\x80"):
            raise ContainerRejected
        return text[:-1]
