"""The card file: one SQLite database a card, held by one process.

Durability, chosen knowingly (docs/adr/0002): write-ahead log, `synchronous=NORMAL`. A commit is in the operating
system's hands when the card answers, so it survives the end of the process in any form, kill -9 included. A power cut
of the *computer* may lose the last commits but never half of one and never corrupts the file. `synchronous=FULL` would
add an fsync, milliseconds, to every debit; a physical card's EEPROM is faster than that.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from card.errors import CardFileLocked, StoreError
from card.store.migrations import SCHEMA_VERSION, migrate

_APPLICATION_ID = 0x42435543  # "BCUC": tells a card file from any other SQLite database
_SETTINGS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=NORMAL",
    "PRAGMA temp_store=MEMORY",
)
_FEW = 4
_INSERTS = tuple("INSERT OR REPLACE INTO nv VALUES " + ",".join(["(?,?)"] * count) for count in range(_FEW + 1))


class SqliteStore:
    """Implements `card.ports.Store` in a file with mode 0600, locked against other processes."""

    def __init__(self, path: str | os.PathLike[str], *, create: bool = False) -> None:
        """Open a card file, or make a new one with `create` (it must not exist then).

        Raises `CardFileLocked` when another process holds it, `StoreError` when it is missing or no card file.
        """
        self.path = Path(path)
        if not create and not self.path.is_file():
            raise StoreError(f"{self.path}: no such card file")
        self._lock = _Lock(self.path)
        try:
            if create:
                self._create_file()
            self._database = self._connect(create)
        except BaseException:
            self._lock.release()
            raise

    def _create_file(self) -> None:
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            raise StoreError(f"{self.path} exists already; remove it or choose another name") from None
        except OSError as error:
            raise StoreError(f"{self.path}: {error.strerror}") from None

    def _connect(self, create: bool) -> sqlite3.Connection:
        try:
            # The card runs in one thread at a time, which need not be the one that opened the file.
            database = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
            try:
                self._prepare(database, create)
            except BaseException:
                database.close()
                raise
        except sqlite3.Error as error:
            raise StoreError(f"{self.path} is not a usable card file ({error})") from None
        return database

    def _prepare(self, database: sqlite3.Connection, create: bool) -> None:
        """Make sure that it is a card file before any setting is written into it: it may be somebody else's."""
        database.execute("PRAGMA locking_mode=EXCLUSIVE")
        if create:
            # Measured: the cheapest page for commits of one to three small values.
            database.execute("PRAGMA page_size=2048")
        if not create and _pragma(database, "application_id") != _APPLICATION_ID:
            raise StoreError(f"{self.path} is not a card file")
        for setting in _SETTINGS:
            database.execute(setting)
        if create:
            database.execute(f"PRAGMA application_id={_APPLICATION_ID}")
            database.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
            database.execute("CREATE TABLE nv (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")

    def load(self) -> dict[str, bytes]:
        """Return everything stored, brought to the present schema version."""
        try:
            contents = dict(self._database.execute("SELECT key, value FROM nv"))
            version = _pragma(self._database, "user_version")
        except sqlite3.Error as error:
            raise StoreError(f"{self.path} cannot be read ({error})") from None
        if not all(isinstance(key, str) and isinstance(value, bytes) for key, value in contents.items()):
            raise StoreError(f"{self.path} cannot be read (a value of the wrong type)")
        if version == SCHEMA_VERSION:
            return contents
        migrated = migrate(dict(contents), version)
        self._replace(contents, migrated)
        return migrated

    def _replace(self, old: Mapping[str, bytes], new: Mapping[str, bytes]) -> None:
        changes: dict[str, bytes | None] = {key: None for key in old if key not in new}
        changes.update(new)
        self.commit(changes, f"PRAGMA user_version={SCHEMA_VERSION}")

    def commit(self, changes: Mapping[str, bytes | None], *statements: str) -> None:
        """Write all changes in one transaction, with further SQL `statements` inside it. Raises `StoreError`."""
        run = self._database.execute
        try:
            if 0 < len(changes) <= _FEW and not statements and None not in changes.values():
                # The debit of an STKM and the like: one statement is a transaction by itself, and a third cheaper.
                run(_INSERTS[len(changes)], [part for change in changes.items() for part in change])
                return
            run("BEGIN IMMEDIATE")
            for key, value in changes.items():
                if value is None:
                    run("DELETE FROM nv WHERE key=?", (key,))
                else:
                    run("INSERT OR REPLACE INTO nv VALUES (?,?)", (key, value))
            for statement in statements:
                run(statement)
            run("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                run("ROLLBACK")
            raise StoreError(f"{self.path} cannot be written ({error})") from None

    def close(self) -> None:
        """Fold the log into the file and let the next process in."""
        with contextlib.suppress(sqlite3.Error):
            self._database.close()
        self._lock.release()


def _pragma(database: sqlite3.Connection, name: str) -> int:
    return int(database.execute(f"PRAGMA {name}").fetchone()[0])


class _Lock:
    """A lock file beside the card file that names its holder; the operating system lifts it when the process ends."""

    def __init__(self, card_file: Path) -> None:
        self._path = card_file.with_name(card_file.name + ".lock")
        self._handle: int | None = None
        while self._handle is None:
            handle = self._open()
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(handle, 32, 0).decode("ascii", "replace").strip() or "unknown"
                os.close(handle)
                raise CardFileLocked(f"{card_file} is in use by process {holder}") from None
            if self._is_current(handle):
                self._handle = handle
            else:
                os.close(handle)
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, str(os.getpid()).encode(), 0)

    def _open(self) -> int:
        try:
            return os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise StoreError(f"{self._path}: {error.strerror}") from None

    def _is_current(self, handle: int) -> bool:
        """Tell whether the locked file still has its name: its last holder may have removed it in between."""
        try:
            return os.path.samestat(os.fstat(handle), self._path.stat())
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Lift the lock and remove its file."""
        if self._handle is None:
            return
        handle, self._handle = self._handle, None
        self._path.unlink(missing_ok=True)
        os.close(handle)
