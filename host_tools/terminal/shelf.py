"""STKMs that wait for an LTKM: the card lacks their key, which may be on its way.

They are given to the card again when it has taken the key. Without that a terminal would hear nothing until the next
repetition, and of a crypto period that is over there is none.
"""

from __future__ import annotations

from collections import OrderedDict

from host_tools.content.captures.datagrams import Datagram
from host_tools.terminal.key_source import StkmView

_MOST = 64  # traffic keys


class StkmShelf:
    """The newest STKM of each traffic key that waits, in the order in which these first came; the oldest give way."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[bytes, tuple[bytes, Datagram]] = OrderedDict()

    def put(self, view: StkmView, datagram: Datagram) -> None:
        """Let an STKM wait for its long-term key."""
        self._waiting[view.identity] = view.long_term_key, datagram
        if len(self._waiting) > _MOST:
            self._waiting.popitem(last=False)

    def drop(self, view: StkmView) -> None:
        """A traffic key is there, or is not wanted any more."""
        self._waiting.pop(view.identity, None)

    def clear(self) -> None:
        """Nothing that waits is wanted any more."""
        self._waiting.clear()

    def take(self, long_term_key: bytes) -> tuple[Datagram, ...]:
        """Return the STKMs under a key that came, and forget them."""
        found = [identity for identity, (key, _) in self._waiting.items() if key == long_term_key]
        return tuple(self._waiting.pop(identity)[1] for identity in found)
