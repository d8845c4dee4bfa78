"""Keys that STKMs name and the card lacks: each is asked for when it is new, then more and more seldom (ours).

An STKM comes every second or more often. Without this a terminal that has not paid would ask as often, and one whose
key is on its way would ask once more with every STKM.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta

from host_tools.exchange.messages.msk import MskName

_MOST_KEYS = 256
_MOST_DOUBLINGS = 16


class UnknownKeys:
    """When each key was asked for last, and how often. The time comes from outside."""

    def __init__(self, first: float, longest: float) -> None:
        """Take after how many seconds to ask again: the first time, then twice as long each time, and the most."""
        self._first = first
        self._longest = longest
        self._asked: OrderedDict[MskName, tuple[datetime, int]] = OrderedDict()

    def may_ask(self, name: MskName, now: datetime) -> bool:
        """Tell whether to ask for a key now, and take it that it is asked for then."""
        before, times = self._asked.get(name, (None, 0))
        if before is not None and now - before < timedelta(seconds=self._wait(times)):
            return False
        self._asked.pop(name, None)
        self._asked[name] = now, min(times + 1, _MOST_DOUBLINGS)
        if len(self._asked) > _MOST_KEYS:
            self._asked.popitem(last=False)
        return True

    def unheard(self) -> None:
        """The BSM was not there: whoever asks again soon is no burden to it."""
        for name, (before, _) in self._asked.items():
            self._asked[name] = before, 0

    def _wait(self, times: int) -> float:
        return min(self._first * 2.0 ** max(times - 1, 0), self._longest)
