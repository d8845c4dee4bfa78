"""Why media packets stay without their key: what became of each traffic key, as far as the terminal knows."""

from __future__ import annotations

from collections import Counter, OrderedDict
from enum import Enum

_REMEMBERED = 1024  # traffic keys; far more than packets wait for


class WithoutKey(Enum):
    """Why a packet has no key. The value is what a person reads.

    Who begins to listen in the middle of a crypto period may have missed the STKMs of its key; that counts as before
    the first key, too.
    """

    BEFORE_FIRST = "before the first key"
    NO_STKM = "no STKM with its key came"
    REFUSED = "the STKM of its key was refused"
    LATE = "its key came too late"
    GONE = "its key had gone"


class KeyFates:
    """Remembers of which traffic keys STKMs came, and which of them were given and went again, by name."""

    def __init__(self) -> None:
        self._refused: OrderedDict[bytes, None] = OrderedDict()
        self._gone: OrderedDict[bytes, None] = OrderedDict()
        self._given_up: OrderedDict[bytes, Counter[WithoutKey]] = OrderedDict()

    def refused(self, name: bytes) -> None:
        """An STKM of this key was refused."""
        _note(self._refused, name)

    def given(self, name: bytes) -> Counter[WithoutKey]:
        """The key is there; return how many packets were given up before, by why: it was late for them."""
        self._refused.pop(name, None)
        self._gone.pop(name, None)
        return self._given_up.pop(name, Counter())

    def gone(self, name: bytes) -> None:
        """The key is kept no longer."""
        _note(self._gone, name)

    def give_up(self, name: bytes, *, before_first: bool) -> WithoutKey:
        """Return why a packet stays without the key of this name.

        `before_first`: that key was in use before the first one was there.
        """
        if before_first:
            return WithoutKey.BEFORE_FIRST
        why = WithoutKey.NO_STKM
        if name in self._gone:
            why = WithoutKey.GONE
        elif name in self._refused:
            why = WithoutKey.REFUSED
        if why is not WithoutKey.GONE:
            self._given_up.setdefault(name, Counter())[why] += 1
            if len(self._given_up) > _REMEMBERED:
                self._given_up.popitem(last=False)
        return why


def _note(kept: OrderedDict[bytes, None], name: bytes) -> None:
    kept[name] = None
    kept.move_to_end(name)
    if len(kept) > _REMEMBERED:
        kept.popitem(last=False)
