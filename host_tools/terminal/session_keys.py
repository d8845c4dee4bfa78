"""How many traffic keys a terminal keeps: the two newest of each session, none after it (TS 33.246 clause 6.5.4).

A session (an RTP session) has MSKs of one key group of its own (clause 4.2), so that names it for a card.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from host_tools.terminal.key_source import StkmView

_KEPT = 2


@dataclass(frozen=True, slots=True)
class _TrafficKey:
    long_term_key: bytes
    name: bytes


class SessionKeys:
    """The traffic keys in use, by the names that their key source gives them."""

    def __init__(self) -> None:
        self._held: dict[bytes, deque[_TrafficKey]] = {}

    def add(self, view: StkmView) -> tuple[bytes, ...]:
        """Take the traffic key of an STKM; return the names of those that go for it."""
        held, key = self._held.setdefault(view.session, deque()), _TrafficKey(view.long_term_key, view.key_name)
        if key in held:
            return ()
        held.append(key)
        return tuple(held.popleft().name for _ in range(len(held) - _KEPT))

    def drop(self, view: StkmView) -> tuple[bytes, ...]:
        """The long-term key of an STKM is gone: forget the traffic keys under it and return their names."""
        gone, held = view.long_term_key, self._held.get(view.session, deque())
        self._held[view.session] = deque(key for key in held if key.long_term_key != gone)
        return tuple(key.name for key in held if key.long_term_key == gone)

    def end(self) -> tuple[bytes, ...]:
        """All sessions are over: forget their keys and return their names."""
        held, self._held = self._held, {}
        return tuple(key.name for keys in held.values() for key in keys)
