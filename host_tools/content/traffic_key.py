"""A traffic key as media is protected with it, and its name in the packets."""

from __future__ import annotations

from dataclasses import dataclass, field

from card.crypto.secret import Secret
from host_tools.content.errors import SrtpError

TEK_SIZE = 16
SALT_SIZE = 14


def _no_salt() -> Secret:
    return Secret(bytes(SALT_SIZE))


@dataclass(frozen=True, slots=True)
class TrafficKey:
    """What one crypto period is protected with: TEK (16 bytes) and salt (14; without one, zeros are used)."""

    tek: Secret
    salt: Secret = field(default_factory=_no_salt)

    @property
    def is_playable(self) -> bool:
        """Tell whether SRTP here can use it. An MTK may have 24 or 32 bytes as well: libsrtp plays 16 alone."""
        return len(self.tek) == TEK_SIZE and len(self.salt) == SALT_SIZE

    def master(self) -> bytes:
        """Return SRTP master key and master salt in a row. Raises `SrtpError` for a wrong size."""
        if not self.is_playable:
            found = f"{len(self.tek)} and {len(self.salt)} bytes found"
            raise SrtpError(f"SRTP needs a key of {TEK_SIZE} and a salt of {SALT_SIZE} bytes: {found}")
        return self.tek.reveal() + self.salt.reveal()


def mki_of(msk_id: bytes, mtk_id: bytes) -> bytes:
    """Return the MKI of a TEK: MSK ID (4 bytes) and MTK ID (2) (TS 33.246 clause 6.6.2.1)."""
    return msk_id + mtk_id
