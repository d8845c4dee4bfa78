"""Which of two counters is the newer: T of MBMS, 32 bits, may wrap around (TS 33.246 clause 6.4.3, RFC 1982)."""

from __future__ import annotations

_RANGE = 1 << 32
_UNDEFINED = 1 << 31  # at this distance RFC 1982 clause 3.2 calls neither the newer: no message passes for new


def is_newer(new: int, old: int) -> bool:
    """Tell whether counter `new` comes after `old`, both 0 to 2^32 - 1. An equal one does not."""
    return 0 < (new - old) % _RANGE < _UNDEFINED
