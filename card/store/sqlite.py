"""The card file: one SQLite database a card and a log beside it, held by one process.

Durability, chosen knowingly (docs/adr/0002): a commit is appended to the log (`card/store/log.py`) and in the operating
system's hands when the card answers, so it survives the end of the process in any form, kill -9 included. A power cut
of the *computer* may lose the last commits but never half of one and never corrupts the file. To wait for the disk
would add milliseconds to every debit; a physical card's EEPROM is faster than that. The log is folded into the database
now and then, in a transaction that does wait for the disk: what stands in the log counts until it stands there.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

from card.errors import StoreError
from card.store.layout import (
    LAYOUT,
    DamagedFile,
    bound,
    check_value,
    layout_of,
    read_rows,
    require_whole,
    rewrite,
    row_of,
)
from card.store.lock import LOG_ENDING, CardFileLock
from card.store.log import MARK_LENGTH, ChangeLog, Changes, DamagedLog
from card.store.migrations import SCHEMA_VERSION, migrate

_APPLICATION_ID = 0x42435543  # "BCUC": tells a card file from any other SQLite database
_SETTINGS = (
    "PRAGMA journal_mode=DELETE",
    "PRAGMA synchronous=FULL",
    "PRAGMA temp_store=MEMORY",
)
_MARK = "log"
"""The key of the database's mark, which its log begins with. It is no part of the card."""
_INSERT = "INSERT OR REPLACE INTO nv VALUES (?,?,?)"


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
        self._log = ChangeLog(self.file.with_name(self.file.name + LOG_ENDING))
        self._mark = b""
        self._pending: Changes = {}  # what stands in the log
        self._lock = CardFileLock(self.file, self.path)
        made = False
        try:
            if create:
                self._create_file()
                made = True
            self._lock.hold()
            self._database = self._connect(create)
        except BaseException:
            self._log.close(remove=False)
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
        except (sqlite3.Error, DamagedFile, DamagedLog) as error:
            raise StoreError(f"{self.path} is not a usable card file ({error})") from None
        except OSError as error:
            raise StoreError(f"{self._log.path}: {error.strerror}") from None
        return database

    def _prepare(self, database: sqlite3.Connection, create: bool) -> None:
        """Make sure that it is a card file before any setting is written into it: it may be somebody else's."""
        database.execute("PRAGMA locking_mode=EXCLUSIVE")
        if create:
            # The values of a card are small.
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
            database.execute("BEGIN")
            database.execute(f"PRAGMA application_id={_APPLICATION_ID}")
            database.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
            database.execute(LAYOUT)
            self._begin_log(_write_mark(database))
            database.execute("COMMIT")
        elif _pragma(database, "user_version") <= SCHEMA_VERSION:
            self._begin_log(_read_mark(database) if self._layout == LAYOUT else b"")

    def _begin_log(self, mark: bytes) -> None:
        """Take up the log that continues the database, or begin one. Raises `DamagedLog`, `OSError`."""
        self._pending = self._log.read(mark)
        self._mark = mark

    def load(self) -> dict[str, bytes]:
        """Return everything stored, brought to the present layout and schema version. Raises `StoreError`."""
        try:
            stored: Changes = dict(read_rows(self._database, self._layout))
            version = _pragma(self._database, "user_version")
        except UnicodeError:
            raise StoreError(f"{self.path} cannot be read (a key is no text)") from None
        except (sqlite3.Error, DamagedFile) as error:
            raise StoreError(f"{self.path} cannot be read ({error})") from None
        stored.update(self._pending)
        contents = {key: value for key, value in stored.items() if value is not None and key != _MARK}
        if version == SCHEMA_VERSION and self._layout == LAYOUT:
            return contents
        migrated = migrate(dict(contents), version)
        with self._written() as database:
            rewrite(database, migrated, SCHEMA_VERSION)
        self._layout = LAYOUT
        return migrated

    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        """Write all changes, or none. Raises `StoreError`."""
        if self._log.is_full:
            self._fold({})
        if not changes:
            return
        try:
            logged = self._mark and self._log.append(changes)
        except OSError as error:
            raise StoreError(f"{self.path} cannot be written ({error.strerror})") from None
        except BaseException:
            self._mark = b""  # the record may stand in the log, and the caller takes it that it does not: none follows
            raise
        if logged:
            self._pending.update(changes)
        else:
            self._fold(changes)

    def _fold(self, changes: Mapping[str, bytes | None]) -> None:
        """Write what stands in the log, and these changes, to the database in one transaction. Raises `StoreError`."""
        together = {**self._pending, **changes}
        with self._written() as database:
            database.executemany(
                "DELETE FROM nv WHERE key=?", [(key,) for key, value in together.items() if value is None]
            )
            rows = [row_of(key, value) for key, value in together.items() if value is not None]
            database.executemany(_INSERT, rows)

    @contextlib.contextmanager
    def _written(self) -> Iterator[sqlite3.Connection]:
        """Do the block in a transaction, and begin the log anew. Raises `StoreError`; all is then as before."""
        database = self._database
        # Whatever ends this in between: no record goes behind a mark that the database may no longer have.
        before, self._mark = self._mark, b""
        mark = b""
        try:
            database.execute("BEGIN IMMEDIATE")
            yield database
            mark = _write_mark(database)
            database.execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                database.execute("ROLLBACK")
            # A COMMIT may fail after it wrote everything: the mark that stands there tells.
            stands = self._mark_that_stands()
            if not mark or stands != mark:
                self._mark = before if stands == before else b""
                raise StoreError(f"{self.path} cannot be written ({error})") from None
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                database.execute("ROLLBACK")
            raise
        self._pending.clear()
        self._mark = mark
        self._log.restart(mark)

    def _mark_that_stands(self) -> bytes:
        try:
            return _read_mark(self._database)
        except (sqlite3.Error, DamagedFile):
            return b""

    def close(self) -> None:
        """Fold the log into the file and let the next process in."""
        with contextlib.suppress(StoreError):
            if self._pending:
                self._fold({})
        self._release()

    def discard(self) -> None:
        """Let the next process in, and leave the file as it stands there: what is in the log is lost."""
        self._pending.clear()
        self._release()

    def _release(self) -> None:
        self._log.close(remove=not self._pending)
        with contextlib.suppress(sqlite3.Error):
            self._database.close()
        self._lock.release()


def _pragma(database: sqlite3.Connection, name: str) -> int:
    return int(database.execute(f"PRAGMA {name}").fetchone()[0])


def _read_mark(database: sqlite3.Connection) -> bytes:
    """Return the mark of a database, empty where an older release wrote it. Raises `DamagedFile`, `sqlite3.Error`."""
    found = database.execute("SELECT value, crc FROM nv WHERE key=?", (_MARK,)).fetchone()
    if found is None:
        return b""
    mark, check = found
    if not isinstance(mark, bytes) or len(mark) != MARK_LENGTH or check != check_value(_MARK, mark):
        raise DamagedFile("its mark was changed from outside, or the disk lost a bit")
    return mark


def _write_mark(database: sqlite3.Connection) -> bytes:
    """Give a database a mark that no other ever had, and return it. Raises `sqlite3.Error`."""
    mark = os.urandom(MARK_LENGTH)
    database.execute(_INSERT, row_of(_MARK, mark))
    return mark
