"""A table that cannot grow without end: so many entries of one owner, so many in all; the oldest gives way."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


class BoundedTable(Generic[_K, _V]):
    """Values by key; every entry belongs to an owner. Entries are as old as their last `put`."""

    def __init__(self, of_one: int, in_all: int) -> None:
        """Take how many entries one owner may have, and how many there may be (1 or more each)."""
        if of_one < 1 or in_all < 1:
            raise ValueError("a table that holds nothing is none")
        self._of_one = of_one
        self._in_all = in_all
        self._entries: OrderedDict[_K, tuple[str, _V]] = OrderedDict()
        self._owned: dict[str, OrderedDict[_K, None]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[_K]:
        return iter(self._entries)

    def put(self, owner: str, key: _K, value: _V) -> None:
        """Take an entry as the newest; one of the same key goes, whoever owned it."""
        self.pop(key)
        self._entries[key] = owner, value
        mine = self._owned.setdefault(owner, OrderedDict())
        mine[key] = None
        if len(mine) > self._of_one:
            self.pop(next(iter(mine)))
        if len(self._entries) > self._in_all:
            self.pop(next(iter(self._entries)))

    def get(self, key: _K) -> _V | None:
        """Return the value of a key, None where there is none."""
        found = self._entries.get(key)
        return None if found is None else found[1]

    def owner(self, key: _K) -> str | None:
        """Return whose entry this is, None where there is none."""
        found = self._entries.get(key)
        return None if found is None else found[0]

    def of(self, owner: str) -> tuple[_K, ...]:
        """Return the keys of an owner, the oldest first."""
        return tuple(self._owned.get(owner, ()))

    def values(self) -> Iterator[_V]:
        """Yield all values, the oldest first."""
        return (value for _, value in self._entries.values())

    def oldest(self) -> _V | None:
        """Return the value of the oldest entry, None when there is none."""
        return next(self.values(), None)

    def pop(self, key: _K) -> _V | None:
        """Take an entry out and return its value, None where there is none."""
        found = self._entries.pop(key, None)
        if found is None:
            return None
        owner, value = found
        mine = self._owned[owner]
        del mine[key]
        if not mine:
            del self._owned[owner]
        return value

    def clear(self) -> None:
        """Take all entries out."""
        self._entries.clear()
        self._owned.clear()
