"""Composes answers to reset (ISO 7816-3 clause 8, TS 102 221 clause 6.3)."""

from __future__ import annotations

from functools import reduce
from operator import xor

# Fi/Di of 512/32; clock stop allowed, classes A, B and C.
_TA1 = 0x96
_CLOCK_AND_CLASSES = 0xC7
# Category 80; 31: card service data; 73: card capabilities (selection methods, data coding byte 21, then the third
# byte: logical channels, and bit 7 for extended length fields).
_SERVICE_DATA = bytes.fromhex("8031E0")
_CAPABILITIES = bytes.fromhex("73FE21")
_TWENTY_CHANNELS = 0x1F
_EXTENDED_LENGTH = 0x40
# Compact-TLV "pre-issuing data" that names this emulator, so that nobody takes it for a vendor's card.
_MAKER = b"\x67BC-UICC"

_T0_INTERFACE = bytes((_TA1, 0x80, 0x1F, _CLOCK_AND_CLASSES))
_T1_INTERFACE = bytes((_TA1, 0x81, 0xB1, 0xFE, 0x45, 0x1F, _CLOCK_AND_CLASSES))


def compose_atr(*, t1: bool = False) -> bytes:
    """Return an ATR that offers T=0, or with `t1` T=1 and extended length fields.

    T=0 is all that a client sees of a T=0 card: it is offered first, then only the global parameters (T=15) follow.
    """
    third = _TWENTY_CHANNELS | (_EXTENDED_LENGTH if t1 else 0)
    historical = _SERVICE_DATA + _CAPABILITIES + bytes((third,)) + _MAKER
    body = bytes((0x90 | len(historical),)) + (_T1_INTERFACE if t1 else _T0_INTERFACE) + historical
    return b"\x3b" + body + bytes((reduce(xor, body),))
