"""PINs as commands carry them."""

from __future__ import annotations

from card.crypto.secret import Secret

PIN_SIZE = 8


def pad_pin(pin: Secret) -> bytes:
    """Return the digits of a PIN (4 to 8 bytes of ASCII) filled up with FF to 8 bytes (TS 102 221 clause 9.5.1)."""
    return pin.reveal().ljust(PIN_SIZE, b"\xff")
