"""What is secret in the answers of the even AUTHENTICATE, and of RUN GSM ALGORITHM (TS 31.102 clause 7.1.2)."""

from __future__ import annotations

from card.codec.apdu import CommandApdu
from card.spec.cla import SIM_CLASS
from card.spec.contexts import BOOTSTRAPPING, SPECIFIC, SUCCESS, SYNCHRONISATION_FAILURE, EvenP2

ALL = 1 << 17
"""More bytes than any answer has."""
_SRES_SIZE = 4
_SHORTEST_RES, _LONGEST_RES = 4, 16


def shown_bytes(asked: CommandApdu, begin: bytes) -> int:
    """Return how many bytes from the start of the whole answer may be seen; `begin` is what of it came first.

    SRES, RES and AUTS of an authentication cross the network anyway. Kc, CK, IK, VSTK and Ks_ext_NAF never; nor RES of
    a bootstrapping, which is a password there (TS 33.220 clause 4.5.2).
    """
    if asked.cla == SIM_CLASS:
        return _SRES_SIZE
    match asked.p2 | SPECIFIC:
        case EvenP2.GSM:
            return 1 + _SRES_SIZE if begin[0] == _SRES_SIZE else 0
        case EvenP2.UMTS:
            return _tagged(begin, shows_res=True)
        case EvenP2.GBA:
            is_bootstrapping = asked.data[:1] == bytes((BOOTSTRAPPING,))
            return _tagged(begin, shows_res=False) if is_bootstrapping else _tag(begin)
        case _:
            return 0


def _tagged(begin: bytes, *, shows_res: bool) -> int:
    if begin[0] == SYNCHRONISATION_FAILURE:
        return ALL
    if not _tag(begin) or not shows_res or len(begin) < 2 or not _SHORTEST_RES <= begin[1] <= _LONGEST_RES:
        return _tag(begin)
    return 2 + begin[1]


def _tag(begin: bytes) -> int:
    """Return 1 for an answer that begins with the tag of success, which says nothing by itself."""
    return 1 if begin[0] == SUCCESS else 0
