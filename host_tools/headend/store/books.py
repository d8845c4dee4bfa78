"""Registrations, and what is on its way to subscribers, in the database."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Row, bindparam, text

from card.errors import DecodeError
from host_tools.headend.bsm.books import Line, OutboxFigures, Outstanding, Registered, Route
from host_tools.headend.bsm.memory_books import MOST_ORDERS, OUTSTANDING_OF_A_SUBSCRIBER, too_many_orders
from host_tools.headend.bsm.orders import Order
from host_tools.headend.store.database import Database
from host_tools.headend.store.errors import StoreError
from host_tools.headend.store.vault import Vault

_REGISTERED = text("SELECT service_ids, address, b_tid, port, heard FROM registrations WHERE identity = :identity")
_REGISTER = text(
    "INSERT INTO registrations (identity, service_ids, address, b_tid, port, heard)"
    " VALUES (:identity, :service_ids, :address, :b_tid, :port, :heard) ON CONFLICT (identity) DO UPDATE SET"
    " service_ids = excluded.service_ids, address = excluded.address, b_tid = excluded.b_tid, port = excluded.port,"
    " heard = excluded.heard"
)
_UNREGISTER = text("DELETE FROM registrations WHERE identity = :identity")
_REGISTERED_PAGE = text(
    "SELECT identity, service_ids, address, b_tid, port, heard FROM registrations WHERE identity > :after"
    " ORDER BY identity LIMIT :most"
)
_REGISTERED_COUNT = text("SELECT count(*) FROM registrations")
_LINE = text("SELECT * FROM lines WHERE identity = :identity")
_PUT_LINE = text(
    "INSERT INTO lines (identity, address, b_tid, port, at, tries)"
    " VALUES (:identity, :address, :b_tid, :port, :at, :tries) ON CONFLICT (identity) DO UPDATE SET"
    " address = excluded.address, b_tid = excluded.b_tid, port = excluded.port, at = excluded.at,"
    " tries = excluded.tries"
)
_DUE = text("SELECT * FROM lines WHERE at <= :now ORDER BY at LIMIT :most")
_CLAIM = text(
    "SELECT identity FROM (SELECT identity, at FROM lines WHERE at <= :now ORDER BY at LIMIT :most) AS waiting"
    " WHERE pg_try_advisory_xact_lock(hashtextextended(identity, 0))"
)
_CLAIMED = text("SELECT * FROM lines WHERE identity IN :identities AND at <= :now ORDER BY at").bindparams(
    bindparam("identities", expanding=True)
)
_NEXT_AT = text("SELECT min(at) FROM lines")
_ORDERS = text("SELECT place, body FROM orders WHERE identity = :identity ORDER BY place")
_FIRST = text("SELECT place, body FROM orders WHERE identity = :identity ORDER BY place LIMIT 1")
_PLACES = text(
    "SELECT count(*) AS waiting, min(place) AS first, max(place) AS last FROM orders WHERE identity = :identity"
)
_ADD = text("INSERT INTO orders (identity, place, body) VALUES (:identity, :place, :body)")
_DROP = text("DELETE FROM orders WHERE identity = :identity AND place = :place")
_OUTSTANDING = text("SELECT * FROM outstanding WHERE b_tid = :b_tid")
_OUTSTANDING_OF = text("SELECT * FROM outstanding WHERE identity = :identity ORDER BY place")
_KEEP = text(
    "INSERT INTO outstanding (b_tid, identity, place, body, ltkm) VALUES (:b_tid, :identity,"
    " (SELECT coalesce(max(place), 0) + 1 FROM outstanding WHERE identity = :identity), :body, :ltkm)"
    " ON CONFLICT (b_tid) DO UPDATE SET identity = excluded.identity, place = excluded.place, body = excluded.body,"
    " ltkm = excluded.ltkm"
)
_OLDEST = text(
    "DELETE FROM outstanding WHERE identity = :identity AND place <="
    " (SELECT max(place) FROM outstanding WHERE identity = :identity) - :most"
    " AND (SELECT count(*) FROM outstanding WHERE identity = :identity) > :most"
)
_SETTLE = text("DELETE FROM outstanding WHERE b_tid = :b_tid")
_FIGURES = text(
    "SELECT (SELECT count(*) FROM lines) AS lines, (SELECT count(*) FROM orders) AS orders,"
    " (SELECT count(*) FROM outstanding) AS outstanding,"
    " (SELECT count(*) FROM outstanding AS one JOIN lines AS way ON way.identity = one.identity"
    " WHERE way.b_tid <> one.b_tid) AS doubtful"
)


class StoredRegistrations:
    """Who is registered for what."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database

    def find(self, identity: str) -> Registered | None:
        """Return what a subscriber is registered for, None for nothing."""
        row = self._database.run(_REGISTERED, {"identity": identity}).first()
        return None if row is None else _registered(row)

    def put(self, identity: str, registered: Registered) -> None:
        """Register a subscriber; what was before is replaced."""
        values = {
            "identity": identity,
            "service_ids": json.dumps(registered.service_ids),
            "heard": registered.heard,
            **_route(registered.route),
        }
        self._database.run(_REGISTER, values)

    def drop(self, identity: str) -> None:
        """Take a registration away, if there is one."""
        self._database.run(_UNREGISTER, {"identity": identity})

    def count(self) -> int:
        """Return how many subscribers are registered."""
        return int(self._database.run(_REGISTERED_COUNT).scalar_one())

    def page(self, after: str, most: int) -> tuple[tuple[str, Registered], ...]:
        """Return the next registrations behind an identity, by identity, at most so many."""
        rows = self._database.run(_REGISTERED_PAGE, {"after": after, "most": most}).all()
        return tuple((row.identity, _registered(row)) for row in rows)


class StoredOutbox:
    """What is on its way to subscribers."""

    def __init__(self, database: Database, vault: Vault) -> None:
        """Take the database, and what writes secrets."""
        self._database = database
        self._vault = vault

    def hold(self, identity: str) -> None:
        """Keep other processes from working for this subscriber until the transaction ends."""
        self._database.hold(identity)

    def line(self, identity: str) -> Line | None:
        """Return the way to a subscriber."""
        row = self._database.run(_LINE, {"identity": identity}).first()
        return None if row is None else _line(row)

    def put_line(self, line: Line) -> None:
        """Keep the way to a subscriber in the place of the one before."""
        values = {"identity": line.identity, "at": line.at, "tries": line.tries, **_route(line.route)}
        self._database.run(_PUT_LINE, values)

    def due(self, now: float, most: int) -> tuple[Line, ...]:
        """Return lines that are to be looked at, the longest waiting first; each is given to one process."""
        if not self._database.is_shared:
            return tuple(map(_line, self._database.run(_DUE, {"now": now, "most": most})))
        claimed = self._database.run(_CLAIM, {"now": now, "most": most}).scalars().all()
        if not claimed:
            return ()
        # Read again under the lock: another process may have looked at a line since.
        return tuple(map(_line, self._database.run(_CLAIMED, {"identities": claimed, "now": now})))

    def next_at(self) -> float | None:
        """Return when the next line is due, None when none will be."""
        found: float | None = self._database.run(_NEXT_AT).scalar()
        return found

    def orders(self, identity: str) -> tuple[tuple[int, Order], ...]:
        """Return what waits for a subscriber in its order, each with its number."""
        rows = self._database.run(_ORDERS, {"identity": identity}).all()
        return tuple((row.place, self._order("orders", f"{identity} {row.place}", row.body)) for row in rows)

    def first(self, identity: str) -> tuple[int, Order] | None:
        """Return the order that goes next, with its number."""
        row = self._database.run(_FIRST, {"identity": identity}).first()
        return None if row is None else (row.place, self._order("orders", f"{identity} {row.place}", row.body))

    def add(self, identity: str, order: Order, *, ahead: bool = False) -> None:
        """Put an order behind those that wait, or `ahead` of them. Raises `HeadendError` when too many do."""
        row = self._database.run(_PLACES, {"identity": identity}).one()
        if row.waiting >= MOST_ORDERS:
            raise too_many_orders()
        place = 0 if row.waiting == 0 else row.first - 1 if ahead else row.last + 1
        body = self._vault.seal(("orders", "body", f"{identity} {place}"), order.encode())
        self._database.run(_ADD, {"identity": identity, "place": place, "body": body})

    def drop(self, identity: str, number: int) -> None:
        """Take an order out."""
        self._database.run(_DROP, {"identity": identity, "place": number})

    def outstanding(self, b_tid: str) -> Outstanding | None:
        """Return what was sent under this B-TID (or NAI) and is not acknowledged."""
        row = self._database.run(_OUTSTANDING, {"b_tid": b_tid}).first()
        return None if row is None else self._read(row)

    def outstanding_of(self, identity: str) -> tuple[Outstanding, ...]:
        """Return what a subscriber has not acknowledged, the oldest first."""
        return tuple(map(self._read, self._database.run(_OUTSTANDING_OF, {"identity": identity}).all()))

    def keep(self, outstanding: Outstanding) -> None:
        """Note what was sent, in the place of what was outstanding under the same B-TID."""
        values = {
            "b_tid": outstanding.b_tid,
            "identity": outstanding.identity,
            "body": self._vault.seal(("outstanding", "body", outstanding.b_tid), outstanding.order.encode()),
            "ltkm": outstanding.ltkm,
        }
        self._database.run(_KEEP, values)
        # Under how many SMKs there can be something in doubt has a bound.
        self._database.run(_OLDEST, {"identity": outstanding.identity, "most": OUTSTANDING_OF_A_SUBSCRIBER})

    def settle(self, b_tid: str) -> None:
        """Wait no longer for the answer under this B-TID."""
        self._database.run(_SETTLE, {"b_tid": b_tid})

    def figures(self) -> OutboxFigures:
        """Return how much waits in all."""
        row = self._database.run(_FIGURES).one()
        return OutboxFigures(row.lines, row.orders, row.outstanding, row.doubtful)

    def _read(self, row: Row[Any]) -> Outstanding:
        order = self._order("outstanding", row.b_tid, row.body)
        return Outstanding(row.identity, row.b_tid, order, bytes(row.ltkm))

    def _order(self, table: str, key: str, stored: bytes) -> Order:
        try:
            return Order.decode(self._vault.unseal((table, "body", key), stored))
        except DecodeError as error:
            raise StoreError(str(error)) from None


def _registered(row: Row[Any]) -> Registered:
    return Registered(tuple(json.loads(row.service_ids)), Route(row.address, row.b_tid, row.port), row.heard)


def _line(row: Row[Any]) -> Line:
    return Line(row.identity, Route(row.address, row.b_tid, row.port), row.at, row.tries)


def _route(route: Route) -> dict[str, object]:
    return {"address": route.address, "b_tid": route.b_tid, "port": route.port}
