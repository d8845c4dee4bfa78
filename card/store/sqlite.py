"""The card file: one SQLite database a card, held by one process.

Durability, chosen knowingly (docs/adr/0002): write-ahead log, `synchronous=NORMAL`. A commit is in the operating
system's hands when the card answers, so it survives the end of the process in any form, kill -9 included. A power cut
of the *computer* may lose the last commits but never half of one and never corrupts the file. `synchronous=FULL` would
add an fsync, milliseconds, to every debit; a physical card's EEPROM is faster than that.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Mapping
from itertools import chain
from pathlib import Path

from card.errors import StoreError
from card.store.layout import LAYOUT, DamagedFile, bound, layout_of, read_rows, require_whole, rewrite, row_of
from card.store.lock import CardFileLock
from card.store.migrations import SCHEMA_VERSION, migrate

_APPLICATION_ID = 0x42435543  # "BCUC": tells a card file from any other SQLite database
_SETTINGS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=NORMAL",
    "PRAGMA temp_store=MEMORY",
)
_FEW = 4
_INSERTS = tuple("INSERT OR REPLACE INTO nv VALUES " + ",".join(["(?,?,?)"] * count) for count in range(_FEW + 1))


class SqliteStore:
    """Implements `card.ports.Store` in a file with mode 0600, locked against other processes."""

    def __init__(self, path: str | os.PathLike[str], *, create: bool = False) -> None:
        """Open a card file, or make a new one with `create` (it must not exist then).

        Raises `CardFileLocked` when another process holds it, `StoreError` when it is missing or no card file.
        """
        self.path = Path(path)
        if not create and not self.path.exists():
            raise StoreError(f"{self.path}: no such card file")
        self.file = self._without_links(create)
        """The file itself, where `path` is a link to it."""
        self._layout = LAYOUT
        self._lock = CardFileLock(self.file, self.path)
        made = False
        try:
            if create:
                self._create_file()
                made = True
            self._lock.hold()
            self._database = self._connect(create)
        except BaseException:
            if made:
                self.file.unlink(missing_ok=True)
            self._lock.release()
            raise

    def _without_links(self, create: bool) -> Path:
        """Return the name of the file itself; a new one is made under the very name that was given."""
        try:
            found = self.path.parent.resolve() / self.path.name if create else self.path.resolve()
        except (OSError, ValueError, RuntimeError):
            found = Path()
        if not found.name:  # as the root has none
            raise StoreError(f"{self.path}: not a file name, or links that go round in a circle")
        return found

    def _create_file(self) -> None:
        try:
            os.close(os.open(self.file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            raise StoreError(f"{self.path} exists already; remove it or choose another name") from None
        except OSError as error:
            raise StoreError(f"{self.path}: {error.strerror}") from None

    def _connect(self, create: bool) -> sqlite3.Connection:
        try:
            # The card runs in one thread at a time, which need not be the one that opened the file.
            database = sqlite3.connect(self.file, isolation_level=None, check_same_thread=False)
            try:
                self._prepare(database, create)
            except BaseException:
                database.close()
                raise
        except UnicodeError:  # Python's, about a message of SQLite that holds what stands in the file
            raise StoreError(f"{self.path} is not a usable card file (its schema is no text)") from None
        except (sqlite3.Error, DamagedFile) as error:
            raise StoreError(f"{self.path} is not a usable card file ({error})") from None
        return database

    def _prepare(self, database: sqlite3.Connection, create: bool) -> None:
        """Make sure that it is a card file before any setting is written into it: it may be somebody else's."""
        database.execute("PRAGMA locking_mode=EXCLUSIVE")
        if create:
            # Measured: the cheapest page for commits of one to three small values.
            database.execute("PRAGMA page_size=2048")
        bound(database)
        if not create and _pragma(database, "application_id") != _APPLICATION_ID:
            raise StoreError(f"{self.path} is not a card file")
        if not create:
            self._layout = layout_of(database)
            require_whole(database)
        for setting in _SETTINGS:
            database.execute(setting)
        if create:
            database.execute(f"PRAGMA application_id={_APPLICATION_ID}")
            database.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
            database.execute(LAYOUT)

    def load(self) -> dict[str, bytes]:
        """Return everything stored, brought to the present layout and schema version. Raises `StoreError`."""
        try:
            contents = dict(read_rows(self._database, self._layout))
            version = _pragma(self._database, "user_version")
        except UnicodeError:
            raise StoreError(f"{self.path} cannot be read (a key is no text)") from None
        except (sqlite3.Error, DamagedFile) as error:
            raise StoreError(f"{self.path} cannot be read ({error})") from None
        if version == SCHEMA_VERSION and self._layout == LAYOUT:
            return contents
        migrated = migrate(dict(contents), version)
        try:
            rewrite(self._database, migrated, SCHEMA_VERSION)
        except sqlite3.Error as error:
            raise self._undone(error) from None
        self._layout = LAYOUT
        return migrated

    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        """Write all changes in one transaction. Raises `StoreError`."""
        run = self._database.execute
        rows = [row_of(key, value) for key, value in changes.items() if value is not None]
        try:
            if 0 < len(rows) == len(changes) <= _FEW:
                # The debit of an STKM and the like: one statement is a transaction by itself, and a third cheaper.
                run(_INSERTS[len(rows)], list(chain.from_iterable(rows)))
                return
            run("BEGIN IMMEDIATE")
            self._database.executemany(
                "DELETE FROM nv WHERE key=?", ((key,) for key in changes if changes[key] is None)
            )
            self._database.executemany(_INSERTS[1], rows)
            run("COMMIT")
        except sqlite3.Error as error:
            raise self._undone(error) from None

    def _undone(self, error: sqlite3.Error) -> StoreError:
        with contextlib.suppress(sqlite3.Error):
            self._database.execute("ROLLBACK")
        return StoreError(f"{self.path} cannot be written ({error})")

    def close(self) -> None:
        """Fold the log into the file and let the next process in."""
        with contextlib.suppress(sqlite3.Error):
            self._database.close()
        self._lock.release()


def _pragma(database: sqlite3.Connection, name: str) -> int:
    return int(database.execute(f"PRAGMA {name}").fetchone()[0])
