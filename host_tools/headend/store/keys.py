"""SEKs, the last T of each SMK, what was brought to whom, and rights, in the database."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import text

from card.crypto.secret import Secret
from host_tools.headend.bsm.memory import MSKS_OF_A_GROUP, SEKS_OF_A_SERVICE, SMKS_OF_A_SUBSCRIBER
from host_tools.headend.clock import NetworkClock
from host_tools.headend.errors import HeadendError
from host_tools.headend.service_keys import ServiceKey
from host_tools.headend.store.database import Database
from host_tools.headend.store.vault import Vault

_FRESH_FOR = timedelta(seconds=1)
"""For how long the SEKs that were read are taken for all there are; another process may add one."""
_SEKS = text("SELECT * FROM seks WHERE service = :service ORDER BY place")
_ADD_SEK = text(
    "INSERT INTO seks (service, place, key_domain_id, msk_id, first_mtk_id, last_mtk_id, key, rand, csb_id)"
    " VALUES (:service, (SELECT coalesce(max(place), 0) + 1 FROM seks WHERE service = :service), :key_domain_id,"
    " :msk_id, :first_mtk_id, :last_mtk_id, :key, :rand, :csb_id)"
)
_DROP_SEK = text("DELETE FROM seks WHERE service = :service AND key_domain_id = :key_domain_id AND msk_id = :msk_id")
_NEXT_T = text(
    "INSERT INTO counters (b_tid, identity, t) VALUES (:b_tid, :identity, 1)"
    " ON CONFLICT (b_tid) DO UPDATE SET t = counters.t + 1 RETURNING t"
)
# The counters of the SMKs that a subscriber may still use stay; those of the others go.
_OLD_T = text(
    f"DELETE FROM counters WHERE identity = :identity AND b_tid <> :b_tid AND"
    f" (SELECT count(*) FROM counters WHERE identity = :identity) > {SMKS_OF_A_SUBSCRIBER} AND b_tid NOT IN"
    f" (SELECT b_tid FROM muks WHERE impi = :identity) AND b_tid NOT IN"
    f" (SELECT b_tid FROM outstanding WHERE identity = :identity)"
)
_HELD = text("SELECT msk_ids FROM held WHERE identity = :identity AND service = :service")
_SET_HELD = text(
    "INSERT INTO held (identity, service, msk_ids) VALUES (:identity, :service, :msk_ids)"
    " ON CONFLICT (identity, service) DO UPDATE SET msk_ids = excluded.msk_ids"
)
_DROP_HELD = text("DELETE FROM held WHERE identity = :identity AND service = :service")
_MAY = text("SELECT 1 FROM rights WHERE identity = :identity AND item = :item")
_GRANT = text("INSERT INTO rights (identity, item) VALUES (:identity, :item) ON CONFLICT DO NOTHING")
_REVOKE = text("DELETE FROM rights WHERE identity = :identity AND item = :item")


class StoredKeys:
    """The keys of a fixed list of services."""

    def __init__(self, database: Database, vault: Vault, services: Iterable[str], clock: NetworkClock) -> None:
        """Take the database, what writes secrets, the services, and the time."""
        self._database = database
        self._vault = vault
        self._services = frozenset(services)
        self._clock = clock
        self._read: dict[str, tuple[datetime, tuple[ServiceKey, ...]]] = {}
        database.on_rollback(self._read.clear)

    def seks(self, service: str) -> tuple[ServiceKey, ...]:
        """Return the SEKs of a service in order of use. Raises `HeadendError` for an unknown service."""
        self._require(service)
        now, known = self._clock.now(), self._read.get(service)
        if known is None or not timedelta() <= now - known[0] < _FRESH_FOR:
            with self._database.transaction():  # a BSD/A asks without a request
                known = self._read[service] = now, self._load(service)
        return known[1]

    def add_sek(self, key: ServiceKey) -> None:
        """Keep one more SEK behind those of its service. Raises `HeadendError` for an unknown service."""
        self._require(key.service)
        with self._database.transaction():
            self._add(key)

    def _add(self, key: ServiceKey) -> None:
        self._read.pop(key.service, None)
        if len(self._load(key.service)) >= SEKS_OF_A_SERVICE:
            raise HeadendError(f"the Key Numbers of {key.service} are used up")
        values = {
            "service": key.service,
            "key_domain_id": key.key_domain_id,
            "msk_id": key.msk_id,
            "first_mtk_id": key.first_mtk_id,
            "last_mtk_id": key.last_mtk_id,
            "key": self._vault.seal(("seks", "key", _sek_row(key.service, key.msk_id)), key.key.reveal()),
            "rand": key.rand,
            "csb_id": key.csb_id,
        }
        self._database.run(_ADD_SEK, values)

    def drop_sek(self, key: ServiceKey) -> None:
        """Forget a SEK; nothing where it is not there."""
        self._require(key.service)
        values = {"service": key.service, "key_domain_id": key.key_domain_id, "msk_id": key.msk_id}
        with self._database.transaction():
            self._read.pop(key.service, None)
            self._database.run(_DROP_SEK, values)

    def next_t(self, identity: str, b_tid: str) -> int:
        """Return one more than the last T under the SMK of this B-TID (or NAI); 1 for a new one."""
        values = {"identity": identity, "b_tid": b_tid}
        counter = int(self._database.run(_NEXT_T, values).scalar_one())
        if counter == 1:
            self._database.run(_OLD_T, values)
        return counter

    def held(self, identity: str, service: str) -> tuple[ServiceKey, ...]:
        """Return the SEKs of a service that were brought to this subscriber and not withdrawn."""
        names = self._held(identity, service)
        by_name = {key.msk_id.hex(): key for key in self.seks(service)} if names else {}
        return tuple(by_name[name] for name in names if name in by_name)

    def note_brought(self, identity: str, key: ServiceKey) -> None:
        """Note that an LTKM brings a SEK to this subscriber; of a service the two newest are kept."""
        before, name = self._held(identity, key.service), key.msk_id.hex()
        after = [*(other for other in before if other != name), name][-MSKS_OF_A_GROUP:]
        if after != before:
            self._note(identity, key.service, after)

    def note_withdrawn(self, identity: str, key: ServiceKey) -> None:
        """Note that an LTKM withdraws a SEK from this subscriber."""
        before = self._held(identity, key.service)
        after = [other for other in before if other != key.msk_id.hex()]
        if after != before:
            self._note(identity, key.service, after)

    def _load(self, service: str) -> tuple[ServiceKey, ...]:
        rows = self._database.run(_SEKS, {"service": service}).all()
        return tuple(
            ServiceKey(
                service,
                bytes(row.key_domain_id),
                bytes(row.msk_id),
                row.first_mtk_id,
                row.last_mtk_id,
                Secret(self._vault.unseal(("seks", "key", _sek_row(service, bytes(row.msk_id))), row.key)),
                bytes(row.rand),
                row.csb_id,
            )
            for row in rows
        )

    def _require(self, service: str) -> None:
        if service not in self._services:
            raise HeadendError(f"there is no service {service}")

    def _held(self, identity: str, service: str) -> list[str]:
        found = self._database.run(_HELD, {"identity": identity, "service": service}).scalar()
        return [] if found is None else list(json.loads(found))

    def _note(self, identity: str, service: str, names: list[str]) -> None:
        values = {"identity": identity, "service": service}
        if names:
            self._database.run(_SET_HELD, values | {"msk_ids": json.dumps(names)})
        else:
            self._database.run(_DROP_HELD, values)


class StoredRights:
    """Rights as they were granted."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database

    def may_receive(self, identity: str, item: str) -> bool:
        """Tell whether a subscriber has the right to an item."""
        return self._database.run(_MAY, {"identity": identity, "item": item}).scalar() is not None

    def grant(self, identity: str, item: str) -> None:
        """Give a subscriber the right to an item."""
        self._database.run(_GRANT, {"identity": identity, "item": item})

    def revoke(self, identity: str, item: str) -> None:
        """Take the right to an item away."""
        self._database.run(_REVOKE, {"identity": identity, "item": item})


def _sek_row(service: str, msk_id: bytes) -> str:
    return f"{service} {msk_id.hex()}"
