"""Purses: the user purse of a key domain, the purses of a key group, and the TEK counter kept for it.

provisional: one user purse per Key Domain, pay-per-time purses per Key Domain and Key Group. All hold up to 2^32 - 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from card.domain.errors import NoRoomForMsk
from card.lean import lean_dataclass
from card.spec.bcast.tables import Source
from card.state.nonvolatile import NonVolatile
from card.state.stored import StoredTable

MOST = (1 << 32) - 1
_DOMAIN_SIZE = 3


@lean_dataclass(frozen=True, slots=True)
class DomainPurse:
    """The user purse of a key domain."""

    user: int = 0


@lean_dataclass(frozen=True, slots=True)
class GroupPurses:
    """The purses of a key group, and what was kept of the TEK counters of records that are gone."""

    live_ppt: int = 0
    playback_ppt: int = 0
    service: int = 0
    kept_teks: int = 0


_NO_PURSES = GroupPurses()
_FIELD = {Source.LIVE_PPT: "live_ppt", Source.PLAYBACK_PPT: "playback_ppt", Source.SERVICE: "service"}


def saturated(value: int) -> int:
    """Return `value`, or the most a purse or counter can hold."""
    return min(value, MOST)


class Purses:
    """All purses of one application. A group is 5 bytes, its domain the first 3. An empty purse takes no room.

    `expected` names the groups that will have a purse whatever comes: one for what is left of a TEK counter.
    """

    def __init__(self, nv: NonVolatile, application: str, most: int, expected: Callable[[], set[bytes]]) -> None:
        self._domains = StoredTable(nv, f"purse-user/{application}/", DomainPurse)
        self._groups = StoredTable(nv, f"purse/{application}/", GroupPurses)
        self._most = most
        self._expected = expected

    def of_domain(self, group: bytes) -> DomainPurse:
        """Return the purse of a group's domain."""
        return self._domains.get(group[:_DOMAIN_SIZE].hex()) or DomainPurse()

    def of_group(self, group: bytes) -> GroupPurses:
        """Return the purses of a group."""
        return self._groups.get(group.hex()) or GroupPurses()

    def known_groups(self) -> list[bytes]:
        """Return the groups that have purses with something in them."""
        return [bytes.fromhex(name) for name, purses in self._groups.items() if purses != _NO_PURSES]

    def balance(self, group: bytes, source: Source) -> int:
        """Return what a purse holds. `source` is one of the four purses."""
        if source is Source.USER:
            return self.of_domain(group).user
        return int(getattr(self.of_group(group), _FIELD[source]))

    def set_balance(self, group: bytes, source: Source, value: int) -> None:
        """Write a purse. Raises `NoRoomForMsk` when it would be one purse too many."""
        if source is Source.USER:
            self._put_domain(group[:_DOMAIN_SIZE].hex(), DomainPurse(value))
        else:
            purses = replace(self.of_group(group), **{_FIELD[source]: value})
            if value:
                self.reserve(group)
            self._put_group(group, purses)

    def fill(self, group: bytes, source: Source, tokens: int, *, keep: bool) -> bool:
        """Add tokens to a purse, or set it to them unless `keep`. Return True when it is full and the rest was lost."""
        wanted = tokens + (self.balance(group, source) if keep else 0)
        self.set_balance(group, source, saturated(wanted))
        return wanted > MOST

    def reserve(self, group: bytes) -> None:
        """See to it that a group can have purses. Raises `NoRoomForMsk`."""
        if self._groups.get(group.hex()) is not None:
            return
        taken = {*self.known_groups(), *self._expected()}
        if group not in taken and len(taken) >= self._most:
            raise NoRoomForMsk

    def keep_teks(self, group: bytes, left: int) -> None:
        """Keep what is left of the TEK counter of a record that goes; room was reserved when it came."""
        purses = self.of_group(group)
        self._put_group(group, replace(purses, kept_teks=saturated(purses.kept_teks + left)))

    def take_kept_teks(self, group: bytes) -> int:
        """Return the kept TEK counter and empty it."""
        purses = self.of_group(group)
        if purses.kept_teks:
            self._put_group(group, replace(purses, kept_teks=0))
        return purses.kept_teks

    def _put_domain(self, name: str, purse: DomainPurse) -> None:
        if not purse.user:
            self._domains.delete(name)
            return
        if self._domains.get(name) is None and sum(other.user > 0 for _, other in self._domains.items()) >= self._most:
            raise NoRoomForMsk
        self._domains.put(name, purse)

    def _put_group(self, group: bytes, purses: GroupPurses) -> None:
        if purses == _NO_PURSES:
            self._groups.delete(group.hex())
        else:
            self._groups.put(group.hex(), purses)
