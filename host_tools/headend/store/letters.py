"""Datagrams that nobody acknowledges, in the database until they are out."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import bindparam, text

from host_tools.exchange.transport import Endpoint
from host_tools.headend.bsm.books import Letter
from host_tools.headend.bsm.memory_books import MOST_LETTERS
from host_tools.headend.store.database import Database

_ADD = text("INSERT INTO letters (at, address, port, payload) VALUES (:at, :address, :port, :payload)")
# Numbers go up, now and then by more than one: there is room for this many at most.
_FORGET = text("DELETE FROM letters WHERE number <= (SELECT max(number) FROM letters) - :most")
_CLAIM = (
    "UPDATE letters SET at = :again WHERE number IN"
    " (SELECT number FROM letters WHERE at <= :now ORDER BY number LIMIT :most{})"
    " RETURNING number, address, port, payload"
)
_CLAIM_ALONE, _CLAIM_SHARED = text(_CLAIM.format("")), text(_CLAIM.format(" FOR UPDATE SKIP LOCKED"))
_DROP = text("DELETE FROM letters WHERE number IN :numbers").bindparams(bindparam("numbers", expanding=True))


class StoredLetters:
    """What is to go out, each letter by one process."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database

    def add(self, place: Endpoint, payload: bytes, now: float) -> None:
        """Keep a datagram that is to go out now."""
        values = {"at": now, "address": place.address, "port": place.port, "payload": payload}
        self._database.run(_ADD, values)
        self._database.run(_FORGET, {"most": MOST_LETTERS})

    def due(self, now: float, again: float, most: int) -> tuple[Letter, ...]:
        """Return what is to go out, the oldest first; it is due `again` at that time, unless it was dropped by then."""
        claim = _CLAIM_SHARED if self._database.is_shared else _CLAIM_ALONE
        rows = self._database.run(claim, {"now": now, "again": again, "most": most}).all()
        found = (Letter(row.number, Endpoint(row.address, row.port), bytes(row.payload)) for row in rows)
        return tuple(sorted(found, key=lambda letter: letter.number))

    def drop(self, numbers: Collection[int]) -> None:
        """Take out what has gone."""
        if numbers:
            self._database.run(_DROP, {"numbers": list(numbers)})
