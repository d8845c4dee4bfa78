"""Mu-law and A-law samples (ITU-T G.711), as 16-bit linear samples on the other side.

The standard library's `audioop` ended with Python 3.12, and one table each is all that is needed.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterable

_SIGN = 0x80
_MU_BIAS = 0x84


def decode_mulaw(codes: bytes) -> bytes:
    """Return little-endian 16-bit samples, two bytes for each mu-law byte."""
    return _decode(_MULAW, codes)


def decode_alaw(codes: bytes) -> bytes:
    """Return little-endian 16-bit samples, two bytes for each A-law byte."""
    return _decode(_ALAW, codes)


def encode_mulaw(samples: Iterable[int]) -> bytes:
    """Return one mu-law byte for each linear sample; samples beyond 16 bits are clipped."""
    return bytes(_mulaw_code(sample) for sample in samples)


def _mulaw_value(code: int) -> int:
    inverted = ~code & 0xFF
    magnitude = ((inverted & 0x0F) << 3 | _MU_BIAS) << (inverted >> 4 & 7)
    return (_MU_BIAS - magnitude) if inverted & _SIGN else magnitude - _MU_BIAS


def _alaw_value(code: int) -> int:
    toggled = code ^ 0x55
    exponent, mantissa = toggled >> 4 & 7, toggled & 0x0F
    magnitude = mantissa << 4 | 8 if exponent == 0 else (mantissa << 4 | 0x108) << exponent - 1
    return magnitude if toggled & _SIGN else -magnitude


_MULAW = tuple(_mulaw_value(code) for code in range(256))
_ALAW = tuple(_alaw_value(code) for code in range(256))

# Magnitudes of the positive codes in rising order; code FF is zero, code 80 the loudest.
_MU_MAGNITUDES = tuple(_MULAW[code] for code in range(0xFF, 0x7F, -1))


def _mulaw_code(sample: int) -> int:
    step = bisect_right(_MU_MAGNITUDES, abs(sample)) - 1
    return (0xFF if sample >= 0 else 0x7F) - step


def _decode(table: tuple[int, ...], codes: bytes) -> bytes:
    return struct.pack(f"<{len(codes)}h", *(table[code] for code in codes))
