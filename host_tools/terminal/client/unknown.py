"""Keys that STKMs name and the card lacks: each is asked for when it is new, then more and more seldom (ours).

An STKM comes every second or more often. Without this a terminal that has not paid would ask as often, and one whose
key is on its way would ask once more with every STKM. A key that the BSM denies is asked for very seldom from then on:
it is not paid for, and comes by itself once it is, or its time is over, as for a terminal that is behind.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
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

    def may_ask(self, name: MskName, now: datetime, soonest: float) -> bool:
        """Tell whether to ask for a key now, and take it that it is asked for then.

        `soonest` is the crypto period (seconds): the first wait is no longer than that, as the key may be over soon.
        """
        before, times = self._asked.get(name, (None, 0))
        if before is not None and now - before < timedelta(seconds=self._wait(times, soonest)):
            return False
        self._asked.pop(name, None)
        self._asked[name] = now, min(times + 1, _MOST_DOUBLINGS)
        if len(self._asked) > _MOST_KEYS:
            self._asked.popitem(last=False)
        return True

    def denied(self, names: Iterable[MskName]) -> None:
        """The BSM does not give these keys."""
        for name in names:
            if name in self._asked:
                self._asked[name] = self._asked[name][0], _MOST_DOUBLINGS

    def unheard(self) -> None:
        """The BSM was not there: whoever asks again soon is no burden to it."""
        for name, (before, times) in self._asked.items():
            self._asked[name] = before, times if times == _MOST_DOUBLINGS else 0

    def _wait(self, times: int, soonest: float) -> float:
        return min(min(self._first, soonest) * 2.0 ** max(times - 1, 0), self._longest)
