"""Terminal_ID, by which a terminal names itself towards key centre and card (TS 33.110 clauses 3.1 and A.2).

That of a mobile is its IMEI as a mobile identity of TS 24.008 clause 10.5.1.4, which makes 10 octets when the element's
identifier and length stand in front. Any other terminal has 1 to 10 octets of its own. The card never looks inside.
"""

from __future__ import annotations

import re

LONGEST_TERMINAL_ID = 10

_IMEI = re.compile(r"[0-9]{15}")
_OCTETS = re.compile(rf"0x((?:[0-9A-Fa-f]{{2}}){{1,{LONGEST_TERMINAL_ID}}})")
_MOBILE_IDENTITY = b"\x17\x08"  # identifier and length of the element
_IMEI_WITH_ODD_DIGITS = 0xA  # type of identity 2, odd number of digits

ALLOWED = "the 15 digits of an IMEI, or 0x and hex digits for 1 to 10 octets"


def encode_imei(imei: str) -> bytes:
    """Return the Terminal_ID (10 octets) of a mobile with this IMEI (15 digits)."""
    digits = bytes(int(digit) for digit in imei)
    pairs = zip(digits[1::2], digits[2::2], strict=True)
    return (
        _MOBILE_IDENTITY
        + bytes((digits[0] << 4 | _IMEI_WITH_ODD_DIGITS,))
        + bytes(later << 4 | sooner for sooner, later in pairs)
    )


def parse_terminal_id(text: str) -> bytes:
    """Return the Terminal_ID (1 to 10 octets) that a person wrote as an IMEI, or as 0x and hex digits.

    `0x` also serves a key centre that wants the IMEI in 8 octets, without identifier and length. Raises `ValueError`.
    """
    if _IMEI.fullmatch(text):
        return encode_imei(text)
    octets = _OCTETS.fullmatch(text)
    if octets is None:
        raise ValueError(f"a terminal is named by {ALLOWED}")
    return bytes.fromhex(octets[1])
