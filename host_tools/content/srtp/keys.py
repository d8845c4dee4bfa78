"""What SRTP makes of a traffic key: master key and master salt (RFC 3711 clause 4.3)."""

from __future__ import annotations

from typing import Final

from host_tools.content.srtp.errors import SrtpError
from host_tools.content.traffic_key import TrafficKey

TEK_SIZE: Final = 16
"""Bytes of the master key. An MTK may have 24 or 32 as well: libsrtp plays 16 alone."""
SALT_SIZE: Final = 14
"""Bytes of the master salt (112 bits, TS 33.246 clause 6.4.5.3); without one, zeros are used."""


def master_of(key: TrafficKey) -> bytes:
    """Return SRTP master key and master salt in a row, 30 bytes. Raises `SrtpError` for a wrong size."""
    salt = bytes(SALT_SIZE) if key.salt is None else key.salt.reveal()
    if (len(key.tek), len(salt)) != (TEK_SIZE, SALT_SIZE):
        found = f"{len(key.tek)} and {len(salt)} bytes found"
        raise SrtpError(f"SRTP needs a key of {TEK_SIZE} and a salt of {SALT_SIZE} bytes: {found}")
    return key.tek.reveal() + salt
