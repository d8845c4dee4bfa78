"""The filter in front of the card: a broadcast repeats its STKMs, and the card need not see each copy."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from enum import Enum

from card.codec.mikey import MbmsKeyIds

_REMEMBERED = 1024  # traffic keys; far more than services times crypto periods in flight


class Sighting(Enum):
    """What the filter makes of an STKM."""

    NEW = "a traffic key not seen yet"
    RESENT = "a traffic key seen before, in a new message"
    IDENTICAL = "a message that gave its traffic key already"


class StkmFilter:
    """Remembers which STKMs gave a traffic key; not the refused ones, whose key may still arrive."""

    def __init__(self) -> None:
        self._given: OrderedDict[bytes, bytes] = OrderedDict()

    def sight(self, ids: MbmsKeyIds, stkm: bytes) -> Sighting:
        """Say whether this STKM brings a new traffic key."""
        digest = self._given.get(_name(ids))
        if digest is None:
            return Sighting.NEW
        return Sighting.IDENTICAL if digest == _digest(stkm) else Sighting.RESENT

    def remember(self, ids: MbmsKeyIds, stkm: bytes) -> None:
        """Note that this STKM gave its traffic key."""
        self._given[_name(ids)] = _digest(stkm)
        self._given.move_to_end(_name(ids))
        if len(self._given) > _REMEMBERED:
            self._given.popitem(last=False)


def _name(ids: MbmsKeyIds) -> bytes:
    return ids.encode()


def _digest(stkm: bytes) -> bytes:
    return hashlib.sha256(stkm).digest()
