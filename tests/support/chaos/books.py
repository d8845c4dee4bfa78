"""The books, computed from what is left on disk and nothing else: the card file, the store, the terminal's journal.

Nothing of the product reads here: SQL, JSON, and the names of tables and keys.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg

Ask = Callable[[str], list[tuple[Any, ...]]]
"""Asks a database a question in SQL and returns the rows."""


@dataclass(frozen=True)
class Books:
    """What everybody has, after everything has come to rest or not."""

    spent: Decimal
    """Money that the BSM has charged, over all orders."""
    charges: Counter[str]
    """How often each order (its requestID) was charged, of the newest ones."""
    granted: int
    """Tokens that the BSM has sold."""
    purses: int
    """Tokens that the card has."""
    rights: frozenset[str]
    """serviceIDs that the BSM says are bought."""
    registered: frozenset[str]
    """serviceIDs for which the BSM has the terminal registered."""
    items: frozenset[str]
    """serviceIDs that the terminal holds to be in force."""
    groups: frozenset[int]
    """Key groups of which the card has a key that is good for something."""
    on_the_way: int
    """Orders, LTKMs without an answer and debts at the BSM."""
    pending: frozenset[str]
    """Requests that the terminal has no answer to."""
    unknown: int
    """LTKMs of which the terminal does not know whether the card took them."""


def books(card: Path, store: str, state: Path) -> Books:
    """Read card file, store (a path of SQLite or a URL of PostgreSQL) and journal, of which others may be writing."""
    with _asking(store) as ask:
        papers = list(_papers(ask))
        registered = ask("SELECT service_ids FROM registrations")
        on_the_way = _on_the_way(ask)
    journal = _journal(state)
    return Books(
        spent=sum((Decimal(value) for kind, _, value in papers if kind == "spent"), Decimal(0)),
        charges=Counter(value[0] for kind, _, value in papers if kind == "charge"),
        granted=sum(value for kind, _, value in papers if kind == "purse"),
        purses=_purses(card),
        rights=frozenset(value[0] for kind, _, value in papers if kind == "subscription"),
        registered=frozenset(json.loads(registered[0][0]) if registered else ()),
        items=frozenset(one["service"] for one in journal.get("items", ())),
        groups=_groups(card),
        on_the_way=on_the_way + sum(kind == "debt" for kind, _, _ in papers),
        pending=pending(state),
        unknown=sum(not one["taken"] for one in journal.get("ltkms", ())),
    )


def is_at_rest(store: str, state: Path) -> bool:
    """Tell whether nothing is on the way and the terminal has an answer to everything."""
    with _asking(store) as ask:
        on_the_way = _on_the_way(ask)
    journal = _journal(state)
    return not (on_the_way or journal.get("pending") or any(not one["taken"] for one in journal.get("ltkms", ())))


def pending(state: Path) -> frozenset[str]:
    """Return the requestIDs that the journal of a terminal has no answer to."""
    return frozenset(one["request_id"] for one in _journal(state).get("pending", ()))


@contextmanager
def _asking(store: str) -> Iterator[Ask]:
    if store.startswith("postgresql:"):
        with closing(psycopg.connect(store, autocommit=True)) as shared:
            yield lambda sql: shared.execute(sql.encode()).fetchall()
        return
    with closing(sqlite3.connect(store)) as database:
        yield lambda sql: database.execute(sql).fetchall()


def _on_the_way(ask: Ask) -> int:
    return sum(int(ask(f"SELECT count(*) FROM {table}")[0][0]) for table in ("orders", "outstanding"))


def _journal(state: Path) -> dict[str, Any]:
    if not state.exists():
        return {}
    found: dict[str, Any] = next(iter(json.loads(state.read_text())["bsms"].values()), {})
    return found


def _papers(ask: Ask) -> Iterator[tuple[str, str, Any]]:
    """The small records; the first octet says that they are not encrypted."""
    for kind, name, value in ask("SELECT kind, name, value FROM records ORDER BY kind, name"):
        assert value[0] == 0
        if kind in ("spent", "charge", "purse", "subscription", "debt"):
            yield kind, name, json.loads(value[1:])


def _purses(card: Path) -> int:
    """All tokens in the purses of the USIM, of whatever kind."""
    names = ("user", "live_ppt", "playback_ppt", "service")
    return sum(found.get(name, 0) for found in _of_card(card, "purse%") for name in names)


def _groups(card: Path) -> frozenset[int]:
    """The Key Group parts of all MSKs that were not made invalid."""
    found = _of_card(card, "msk/USIM/%")
    return frozenset(int(one["msk_id"][:4], 16) for one in found if one["lower"] <= one["upper"])


def _of_card(card: Path, keys: str) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(f"file:{card}?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT value FROM nv WHERE key LIKE ?", (keys,)).fetchall()
    return [json.loads(value) for (value,) in rows]
