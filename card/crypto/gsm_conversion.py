"""GSM values from 3G values (TS 33.102 clause 6.8.1.2), for the GSM context of AUTHENTICATE."""

from __future__ import annotations

from card.crypto.primitives import xor_bytes


def derive_sres(res: bytes) -> bytes:
    """Return SRES (4 bytes) by conversion function c2. RES has 4 to 16 bytes, else `ValueError`."""
    if not 4 <= len(res) <= 16:
        raise ValueError("RES has 4 to 16 bytes")
    padded = res.ljust(16, b"\0")
    return xor_bytes(padded[:4], padded[4:8], padded[8:12], padded[12:])


def derive_kc(ck: bytes, ik: bytes) -> bytes:
    """Return Kc (8 bytes) by conversion function c3. CK and IK have 16 bytes each, else `ValueError`."""
    if len(ck) != 16 or len(ik) != 16:
        raise ValueError("CK and IK have 16 bytes")
    return xor_bytes(ck[:8], ck[8:], ik[:8], ik[8:])
