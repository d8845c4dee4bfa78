"""The filter in front of the card: a broadcast repeats its STKMs, and the card need not see each copy."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from enum import Enum
from typing import TypeVar

_REMEMBERED = 1024  # traffic keys; far more than services times crypto periods in flight
_V = TypeVar("_V")


class Sighting(Enum):
    """What the filter makes of an STKM."""

    NEW = "a traffic key not seen yet"
    RESENT = "a traffic key seen before, in a new message"
    IDENTICAL = "a message that gave its traffic key already"


class StkmFilter:
    """Remembers which STKMs gave a traffic key, by its identity; not the refused ones, whose key may still arrive."""

    def __init__(self) -> None:
        self._given: OrderedDict[bytes, bytes] = OrderedDict()
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def is_repeat(self, identity: bytes) -> bool:
        """Say whether an STKM for this traffic key came before, given or refused, and note that one has come now."""
        repeated = identity in self._seen
        _note(self._seen, identity, None)
        return repeated

    def sight(self, identity: bytes, stkm: bytes) -> Sighting:
        """Say whether this STKM brings a new traffic key."""
        digest = self._given.get(identity)
        if digest is None:
            return Sighting.NEW
        return Sighting.IDENTICAL if digest == _digest(stkm) else Sighting.RESENT

    def remember(self, identity: bytes, stkm: bytes) -> None:
        """Note that this STKM gave its traffic key."""
        _note(self._given, identity, _digest(stkm))


def _note(kept: OrderedDict[bytes, _V], name: bytes, value: _V) -> None:
    """Put `value` at the new end of `kept`; the oldest gives way when there are too many."""
    kept[name] = value
    kept.move_to_end(name)
    if len(kept) > _REMEMBERED:
        kept.popitem(last=False)


def _digest(stkm: bytes) -> bytes:
    return hashlib.sha256(stkm).digest()
