"""Answered requests, and small records of subscribers, in the database."""

from __future__ import annotations

from sqlalchemy import text

from host_tools.headend.bsm.books import MOST_REQUESTS, REQUEST_LIFE, REQUESTS_FOR_GOOD, Answered
from host_tools.headend.bsm.memory_books import RECORDS_OF_A_KIND, too_many_records, too_many_requests
from host_tools.headend.store.database import Database
from host_tools.headend.store.vault import Vault

_FIND = text("SELECT fingerprint, answer, at FROM requests WHERE identity = :identity AND request_id = :request_id")
_KEEP = text(
    "INSERT INTO requests (identity, request_id, place, fingerprint, answer, at) VALUES (:identity, :request_id,"
    " (SELECT coalesce(max(place), 0) + 1 FROM requests WHERE identity = :identity), :fingerprint, :answer, :at)"
    " ON CONFLICT (identity, request_id) DO UPDATE SET fingerprint = excluded.fingerprint, answer = excluded.answer,"
    " at = excluded.at"
)
_FORGET = text(
    "DELETE FROM requests WHERE identity = :identity AND at <= :over AND place <="
    " (SELECT max(place) FROM requests WHERE identity = :identity) - :newest"
)
_KEPT = text("SELECT count(*) FROM requests WHERE identity = :identity")
_RECORD = text("SELECT value FROM records WHERE kind = :kind AND identity = :identity AND name = :name")
_PUT = text(
    "INSERT INTO records (kind, identity, name, value) VALUES (:kind, :identity, :name, :value)"
    " ON CONFLICT (kind, identity, name) DO UPDATE SET value = excluded.value"
)
_COUNT = text("SELECT count(*) FROM records WHERE kind = :kind AND identity = :identity AND name <> :name")
_DROP = text("DELETE FROM records WHERE kind = :kind AND identity = :identity AND name = :name")
_OF = text("SELECT name, value FROM records WHERE kind = :kind AND identity = :identity ORDER BY name")


class StoredRequests:
    """Requests that were answered."""

    def __init__(self, database: Database, vault: Vault) -> None:
        """Take the database, and what writes secrets."""
        self._database = database
        self._vault = vault

    def find(self, identity: str, request_id: str) -> Answered | None:
        """Return what was answered to a request, None for a new one."""
        values = {"identity": identity, "request_id": request_id}
        row = self._database.run(_FIND, values).first()
        if row is None:
            return None
        answer = self._vault.unseal(("requests", "answer", f"{identity} {request_id}"), row.answer)
        return Answered(bytes(row.fingerprint), answer, row.at)

    def make_room(self, identity: str, now: float) -> None:
        """Forget what need not be kept any more. Raises `HeadendError` when there is no room for one more."""
        over = {"identity": identity, "over": now - REQUEST_LIFE, "newest": REQUESTS_FOR_GOOD}
        self._database.run(_FORGET, over)
        if self._database.run(_KEPT, {"identity": identity}).scalar_one() >= MOST_REQUESTS:
            raise too_many_requests()

    def keep(self, identity: str, request_id: str, answered: Answered) -> None:
        """Keep the answer to a request."""
        values = {
            "identity": identity,
            "request_id": request_id,
            "fingerprint": answered.fingerprint,
            "answer": self._vault.seal(("requests", "answer", f"{identity} {request_id}"), answered.answer),
            "at": answered.at,
        }
        self._database.run(_KEEP, values)


class StoredRecords:
    """Small records of subscribers."""

    def __init__(self, database: Database, vault: Vault) -> None:
        """Take the database, and what writes secrets."""
        self._database = database
        self._vault = vault

    def find(self, kind: str, identity: str, name: str) -> bytes | None:
        """Return a record, None where there is none."""
        found = self._database.run(_RECORD, {"kind": kind, "identity": identity, "name": name}).scalar()
        return None if found is None else self._vault.unseal(_place(kind, identity, name), found)

    def put(self, kind: str, identity: str, name: str, value: bytes) -> None:
        """Keep a record in the place of the one before. Raises `HeadendError` when there are too many."""
        key = {"kind": kind, "identity": identity, "name": name}
        if self._database.run(_COUNT, key).scalar_one() >= RECORDS_OF_A_KIND:
            raise too_many_records()
        self._database.run(_PUT, key | {"value": self._vault.seal(_place(kind, identity, name), value)})

    def drop(self, kind: str, identity: str, name: str) -> None:
        """Take a record away, if there is one."""
        self._database.run(_DROP, {"kind": kind, "identity": identity, "name": name})

    def of(self, kind: str, identity: str) -> dict[str, bytes]:
        """Return all records of a kind of one subscriber, by name."""
        rows = self._database.run(_OF, {"kind": kind, "identity": identity}).all()
        return {row.name: self._vault.unseal(_place(kind, identity, row.name), row.value) for row in rows}


def _place(kind: str, identity: str, name: str) -> tuple[str, str, str]:
    return "records", "value", f"{kind} {identity} {name}"
