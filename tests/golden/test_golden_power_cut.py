"""The power fails at every write while an old card file is brought to the present version: it opens the next time.

A write here is a statement of the database; the migration is one transaction of some of them.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from card.store.migrations import SCHEMA_VERSION, migrate
from card.store.sqlite import SqliteStore
from tests.golden.opened import unpack
from tests.support.faulty_store import PowerCut

pytestmark = pytest.mark.norm("74")


class CutDatabase:
    """A database connection whose power fails before the n-th statement that writes (counted from 1; 0: never)."""

    def __init__(self, inner: sqlite3.Connection, cut_at: int) -> None:
        self._inner = inner
        self._cut_at = cut_at
        self.writes = 0

    def execute(self, statement: str, *values: Any) -> Any:
        """Run a statement, or cut the power before it."""
        if not statement.startswith("SELECT") and statement != "PRAGMA user_version":
            self.writes += 1
            if self.writes == self._cut_at:
                raise PowerCut
        return self._inner.execute(statement, *values)

    def executemany(self, statement: str, rows: Iterable[Any]) -> None:
        """Run a statement for each row: each is a write."""
        for row in rows:
            self.execute(statement, row)

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()


def load(path: Path, cut_at: int, remains: Path) -> int:
    """Load a card file and return the number of writes; `remains` is the file as the power left it."""
    store = SqliteStore(path)
    database = CutDatabase(store._database, cut_at)
    store._database = database  # type: ignore[assignment]
    with closing(store):
        if cut_at:
            with pytest.raises(PowerCut):
                store.load()
        else:
            store.load()
        remains.with_name(f"{remains.name}-journal").unlink(missing_ok=True)
        for file in path.parent.glob(f"{path.name}*"):
            if file.suffix != ".lock":
                shutil.copy(file, remains.with_name(file.name.replace(path.name, remains.name)))
    return database.writes


def raw(path: Path) -> tuple[int, dict[str, bytes]]:
    """Return schema version and contents of a card file as they stand in it."""
    with closing(sqlite3.connect(path)) as database:
        version = database.execute("PRAGMA user_version").fetchone()[0]
        return version, dict(database.execute("SELECT key, value FROM nv WHERE key!='log'"))


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION))
def test_a_power_cut_at_every_write_of_a_migration(version: int, tmp_path: Path) -> None:
    """Before a write is behind the one before it; behind the last one stands the new version."""
    saved, path, remains = tmp_path / "saved.card", tmp_path / "opened.card", tmp_path / "remains.card"
    unpack("mbms", version, saved)
    old = raw(saved)
    new = SCHEMA_VERSION, migrate(old[1], version)
    changed = {name for name in old[1].keys() | new[1].keys() if old[1].get(name) != new[1].get(name)}
    assert old[0] == version
    shutil.copy(saved, path)
    writes = load(path, 0, remains)
    assert writes > len(changed)
    assert raw(remains) == new
    for cut_at in range(1, writes + 1):
        shutil.copy(saved, path)
        load(path, cut_at, remains)
        assert raw(remains) == old, f"cut before write {cut_at} of {writes}"
        with closing(SqliteStore(remains)) as store:
            assert store.load() == new[1]
        assert raw(remains) == new
