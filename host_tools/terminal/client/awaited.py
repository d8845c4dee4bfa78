"""Keys that should come: after a registration, a purchase or a request; asked for when they do not (provisional).

That a terminal asks, and asks again, is OMA's; the times are ours. Where nobody said which keys will come, any key
does: the terminal then asks for the current keys of the groups it knows.
"""

from __future__ import annotations

from collections.abc import Iterable

from host_tools.exchange.messages.msk import MskName

_CURRENT = bytes(2)
Names = tuple[MskName, ...]
"""Keys, by name; empty where it is not known which."""


class AwaitedKeys:
    """What is waited for, and how often it was asked for. The times come from outside."""

    def __init__(self, times: tuple[float, ...]) -> None:
        """Take after how many seconds to ask, one after the other."""
        self._times = times
        self._groups: dict[tuple[bytes, bytes], MskName] = {}
        self._denied: set[tuple[bytes, bytes]] = set()
        self._any = False
        self._asked = 0

    @property
    def is_waiting(self) -> bool:
        """Whether a key should come."""
        return self._any or bool(self._groups)

    @property
    def names(self) -> Names:
        """Which; empty where it is not known."""
        return tuple(self._groups.values())

    def expect(self, names: Iterable[MskName], *, or_any: bool) -> float | None:
        """Wait for the current keys of these groups, and for any with `or_any`.

        Return when to ask, None while that is set already.
        """
        wanted = {_group(name): name for name in names}
        is_set = self.is_waiting
        self._groups |= wanted
        self._any = self._any or or_any
        if is_set:
            return None
        self._asked = 0
        self._denied.clear()
        return self._times[0]

    def came(self, name: MskName) -> None:
        """A key came."""
        self._groups.pop(_group(name), None)
        self._any = False

    def denied(self, names: Iterable[MskName]) -> None:
        """The BSM does not give these: nobody waits for them."""
        if not self.is_waiting:
            return
        for group in map(_group, names):
            self._groups.pop(group, None)
            self._denied.add(group)

    def ask(self, known: Iterable[MskName]) -> tuple[Names, float | None]:
        """The time is over: return what to ask for, and when to look again; None for both when it was asked enough.

        `known` are names of the groups that the terminal knows, for where it is not known which key should come.
        """
        others = [current(name) for name in known if _group(name) not in self._denied] if self._any else []
        names = tuple(dict.fromkeys((*self.names, *others)))
        self._asked += 1
        if not names or self._asked >= len(self._times):
            return (), None
        return names, self._times[self._asked]

    def give_up(self) -> Names:
        """Wait no longer; return what did not come."""
        missing = self.names
        self._groups.clear()
        self._any = False
        return missing


def _group(name: MskName) -> tuple[bytes, bytes]:
    return name.key_domain_id, name.key_group


def current(name: MskName) -> MskName:
    """Return the name that stands for the current key of a group (TS 33.246 clause 6.3.2.1)."""
    return MskName(name.key_domain_id, name.key_group + _CURRENT)
