"""Purses: the user purse of a key domain, the purses of a key group, and the TEK counter kept for it.

provisional: one user purse per Key Domain, pay-per-time purses per Key Domain and Key Group. All hold up to 2^32 - 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

from card.domain.errors import NoRoomForMsk
from card.spec.bcast_tables import Source
from card.state.nonvolatile import NonVolatile
from card.state.records import RecordTable

T = TypeVar("T")

MOST = (1 << 32) - 1
_DOMAIN_SIZE = 3


@dataclass(frozen=True, slots=True)
class DomainPurse:
    """The user purse of a key domain."""

    user: int = 0


@dataclass(frozen=True, slots=True)
class GroupPurses:
    """The purses of a key group, and what was kept of the TEK counters of records that are gone."""

    live_ppt: int = 0
    playback_ppt: int = 0
    service: int = 0
    kept_teks: int = 0


_FIELD = {Source.LIVE_PPT: "live_ppt", Source.PLAYBACK_PPT: "playback_ppt", Source.SERVICE: "service"}


def saturated(value: int) -> int:
    """Return `value`, or the most a purse or counter can hold."""
    return min(value, MOST)


class Purses:
    """All purses of one application. A group is 5 bytes, its domain the first 3."""

    def __init__(self, nv: NonVolatile, application: str, most: int) -> None:
        self._domains = RecordTable(nv, f"purse-user/{application}/", DomainPurse)
        self._groups = RecordTable(nv, f"purse/{application}/", GroupPurses)
        self._most = most

    def of_domain(self, group: bytes) -> DomainPurse:
        """Return the purse of a group's domain."""
        return self._domains.get(group[:_DOMAIN_SIZE].hex()) or DomainPurse()

    def of_group(self, group: bytes) -> GroupPurses:
        """Return the purses of a group."""
        return self._groups.get(group.hex()) or GroupPurses()

    def known_groups(self) -> list[bytes]:
        """Return the groups that have purses."""
        return [bytes.fromhex(name) for name, _ in self._groups.items()]

    def balance(self, group: bytes, source: Source) -> int:
        """Return what a purse holds. `source` is one of the four purses."""
        if source is Source.USER:
            return self.of_domain(group).user
        return int(getattr(self.of_group(group), _FIELD[source]))

    def set_balance(self, group: bytes, source: Source, value: int) -> None:
        """Write a purse. Raises `NoRoomForMsk` when it would be one purse too many."""
        if source is Source.USER:
            self._put(self._domains, group[:_DOMAIN_SIZE].hex(), DomainPurse(value))
        else:
            self._put(self._groups, group.hex(), replace(self.of_group(group), **{_FIELD[source]: value}))

    def fill(self, group: bytes, source: Source, tokens: int, *, keep: bool) -> bool:
        """Add tokens to a purse, or set it to them unless `keep`. Return True when it is full and the rest was lost."""
        wanted = tokens + (self.balance(group, source) if keep else 0)
        self.set_balance(group, source, saturated(wanted))
        return wanted > MOST

    def keep_teks(self, group: bytes, left: int) -> None:
        """Keep what is left of the TEK counter of a record that goes."""
        purses = self.of_group(group)
        self._put(self._groups, group.hex(), replace(purses, kept_teks=saturated(purses.kept_teks + left)))

    def take_kept_teks(self, group: bytes) -> int:
        """Return the kept TEK counter and empty it."""
        purses = self.of_group(group)
        if purses.kept_teks:
            self._put(self._groups, group.hex(), replace(purses, kept_teks=0))
        return purses.kept_teks

    def _put(self, table: RecordTable[T], name: str, purse: T) -> None:
        if table.get(name) is None and sum(1 for _ in table.items()) >= self._most:
            raise NoRoomForMsk
        table.put(name, purse)
