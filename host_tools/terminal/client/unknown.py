"""Keys that STKMs name and the card lacks: each is asked for when it is new, then more and more seldom (ours).

An STKM comes every second or more often. Without this a terminal that has not paid would ask as often, and one whose
key is on its way would ask once more with every STKM. A key that the BSM denies is asked for very seldom from then on:
it is not paid for, and comes by itself once it is, or its time is over, as for a terminal that is behind.

Nobody checks an STKM whose key is not there, so anybody may name ever new keys. A group gets a few requests until the
card takes another key of it; after those the current key is asked for, whatever the STKMs name, and that more and more
seldom: so forged ones cost the BSM little, and do not keep the terminal from the key it needs. All groups that the
announcement of the service does not name count as one; where nothing names any, those of which no key came.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from host_tools.exchange.messages.msk import MskName
from host_tools.terminal.client.awaited import current

_MOST_KEYS = 32  # each may be asked for every few minutes, for ever: more would be many requests
_MOST_GROUPS = 256
_MOST_DOUBLINGS = 16
_NEW_OF_A_GROUP = 4  # one in use, the next, and those of a terminal that is behind
_TAKEN_OF_A_GROUP = 256  # that one of them comes once more says nothing: whoever names old keys has the BSM bring them


@dataclass(slots=True)
class _Group:
    """How many new keys of a group were asked for since the card took one; when and how often its current one was.

    `denied` tells that the BSM does not give that.
    """

    new: int = 0
    asked: datetime | None = None
    times: int = 0
    denied: bool = False
    taken: deque[MskName] = field(default_factory=lambda: deque(maxlen=_TAKEN_OF_A_GROUP))


class UnknownKeys:
    """When each key was asked for last, and how often. The time comes from outside."""

    def __init__(self, first: float, longest: float, longest_of_group: float) -> None:
        """Take after how many seconds to ask again: the first time, then twice as long each time, and the most.

        The last is the most for the current key of a group of which too many were named.
        """
        self._first = first
        self._longest = longest
        self._longest_of_group = longest_of_group
        self._asked: OrderedDict[MskName, tuple[datetime, int]] = OrderedDict()
        self._groups: OrderedDict[MskName | None, _Group] = OrderedDict()

    def ask(self, name: MskName, now: datetime, soonest: float, *, known: bool) -> MskName | None:
        """Return what to ask for now that an STKM names a key, and take it that it is asked for; None for nothing.

        `soonest` is the crypto period (seconds): the first wait is no longer than that, as the key may be over soon.
        `known` tells whether its group has a bound of its own, and does not share that of all others.
        """
        before, times = self._asked.get(name, (None, 0))
        if before is None:
            return self._ask_new(name, now, soonest, known=known)
        if not _is_over(before, now, self._wait(times, soonest, self._longest)):
            return None
        self._note(name, now, times)
        return name

    def _ask_new(self, name: MskName, now: datetime, soonest: float, *, known: bool) -> MskName | None:
        group = self._group(current(name) if known else None)
        if group.new < _NEW_OF_A_GROUP:
            group.new += 1
            group.asked = now
            self._note(name, now, 0)
            return name
        wait = self._wait(group.times + 1, soonest, self._longest if group.denied else self._longest_of_group)
        if group.asked is not None and not _is_over(group.asked, now, wait):
            return None
        group.asked, group.times = now, min(group.times + 1, _MOST_DOUBLINGS)
        return current(name)

    def _note(self, name: MskName, now: datetime, times: int) -> None:
        self._asked.pop(name, None)
        self._asked[name] = now, min(times + 1, _MOST_DOUBLINGS)
        if len(self._asked) > _MOST_KEYS:
            self._asked.popitem(last=False)

    def _group(self, name: MskName | None) -> _Group:
        found = self._groups.pop(name, None) or _Group()
        self._groups[name] = found
        if len(self._groups) > _MOST_GROUPS:
            self._groups.popitem(last=False)
        return found

    def came(self, name: MskName) -> None:
        """The card took a key: one that it did not take before means that the group goes on, and the BSM gives."""
        own = self._group(current(name))
        if name in own.taken:
            return
        own.taken.append(name)
        for group in (own, self._group(None)):
            group.new = group.times = 0
            group.denied = False

    def denied(self, names: Iterable[MskName]) -> None:
        """The BSM does not give these keys, or, where it is the current one that was asked for, none of the group."""
        for name in names:
            if name in self._asked:
                self._asked[name] = self._asked[name][0], _MOST_DOUBLINGS
            elif name == current(name) and name in self._groups:
                self._groups[name].denied = True
                self._groups[name].times = _MOST_DOUBLINGS

    def unheard(self) -> None:
        """The BSM was not there: whoever asks again soon is no burden to it."""
        for name, (before, times) in self._asked.items():
            self._asked[name] = before, times if times == _MOST_DOUBLINGS else 0
        for group in self._groups.values():
            group.times = 0

    def _wait(self, times: int, soonest: float, longest: float) -> float:
        return min(min(self._first, soonest) * 2.0 ** max(times - 1, 0), longest)


def _is_over(since: datetime, now: datetime, wait: float) -> bool:
    return now - since >= timedelta(seconds=wait)
