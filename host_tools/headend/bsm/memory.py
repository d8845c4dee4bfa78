"""Keys and rights of the BSM in memory. Nothing grows without end: see the limits.

What the last T was may not be forgotten while the SMK is in use, or its LTKMs would begin with T = 1 again and no card
would take them. So of every subscriber more of them are kept than it can have SMKs, and as many in all as there can be
subscribers in memory.
"""

from __future__ import annotations

from collections.abc import Iterable

from host_tools.headend.bounded import BoundedTable
from host_tools.headend.errors import HeadendError
from host_tools.headend.service_keys import ServiceKey
from host_tools.headend.subscribers.memory import MOST_SUBSCRIBERS

SMKS_OF_A_SUBSCRIBER = 4
MSKS_OF_A_GROUP = 2  # a card keeps no more (TS 31.102 clause 4.2.80)
_SERVICES_OF_A_SUBSCRIBER = 256
_HELD_IN_ALL = 1_000_000
_RIGHTS_OF_A_SUBSCRIBER = 1024
_RIGHTS_IN_ALL = 1_000_000
SEKS_OF_A_SERVICE = 0xFFFF  # a Key Number has 16 bits


class MemoryKeyStore:
    """The keys of a fixed list of services."""

    def __init__(self, services: Iterable[str], seks: Iterable[ServiceKey]) -> None:
        """Take the services, and the SEKs there are, each service's in order of use. Raises `HeadendError`."""
        self._seks: dict[str, list[ServiceKey]] = {service: [] for service in services}
        self._last_t: BoundedTable[str, int] = BoundedTable(
            SMKS_OF_A_SUBSCRIBER, SMKS_OF_A_SUBSCRIBER * MOST_SUBSCRIBERS
        )
        self._held: BoundedTable[tuple[str, str], tuple[ServiceKey, ...]] = BoundedTable(
            _SERVICES_OF_A_SUBSCRIBER, _HELD_IN_ALL
        )
        for key in seks:
            self.add_sek(key)

    def seks(self, service: str) -> tuple[ServiceKey, ...]:
        """Return the SEKs of a service in order of use. Raises `HeadendError` for an unknown service."""
        return tuple(self._of(service))

    def add_sek(self, key: ServiceKey) -> None:
        """Keep one more SEK behind those of its service. Raises `HeadendError` for an unknown service."""
        if len(self._of(key.service)) >= SEKS_OF_A_SERVICE:
            raise HeadendError(f"the Key Numbers of {key.service} are used up")
        self._of(key.service).append(key)

    def drop_sek(self, key: ServiceKey) -> None:
        """Forget a SEK; nothing where it is not there."""
        if key in self._of(key.service):
            self._of(key.service).remove(key)

    def next_t(self, identity: str, b_tid: str) -> int:
        """Return one more than the last T under the SMK of this B-TID (or NAI); 1 for a new one."""
        counter = (self._last_t.get(b_tid) or 0) + 1
        self._last_t.put(identity, b_tid, counter)
        return counter

    def held(self, identity: str, service: str) -> tuple[ServiceKey, ...]:
        """Return the SEKs of a service that were brought to this subscriber and not withdrawn."""
        found = self._held.get((identity, service)) or ()
        return tuple(key for key in found if key in self._of(service))

    def note_brought(self, identity: str, key: ServiceKey) -> None:
        """Note that an LTKM brings a SEK to this subscriber; of a service the two newest are kept."""
        self._note(identity, key.service, (*self._others(identity, key), key)[-MSKS_OF_A_GROUP:])

    def note_withdrawn(self, identity: str, key: ServiceKey) -> None:
        """Note that an LTKM withdraws a SEK from this subscriber."""
        self._note(identity, key.service, self._others(identity, key))

    def _of(self, service: str) -> list[ServiceKey]:
        if service not in self._seks:
            raise HeadendError(f"there is no service {service}")
        return self._seks[service]

    def _others(self, identity: str, key: ServiceKey) -> tuple[ServiceKey, ...]:
        return tuple(other for other in self.held(identity, key.service) if other.msk_id != key.msk_id)

    def _note(self, identity: str, service: str, keys: tuple[ServiceKey, ...]) -> None:
        if keys:
            self._held.put(identity, (identity, service), keys)
        else:
            self._held.pop((identity, service))


class MemoryRights:
    """Rights as they were granted; of one subscriber, and of all, the oldest gives way."""

    def __init__(self) -> None:
        self._granted: BoundedTable[tuple[str, str], None] = BoundedTable(_RIGHTS_OF_A_SUBSCRIBER, _RIGHTS_IN_ALL)

    def may_receive(self, identity: str, item: str) -> bool:
        """Tell whether a subscriber has the right to an item."""
        return self._granted.owner((identity, item)) is not None

    def grant(self, identity: str, item: str) -> None:
        """Give a subscriber the right to an item."""
        self._granted.put(identity, (identity, item), None)

    def revoke(self, identity: str, item: str) -> None:
        """Take the right to an item away."""
        self._granted.pop((identity, item))
