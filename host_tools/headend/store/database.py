"""The database itself, and its transactions: one at a time in a process, each a whole request."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, CursorResult, Engine, TextClause, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError

from host_tools.headend.bsm.books import Transaction
from host_tools.headend.errors import HeadendError
from host_tools.headend.store import schema
from host_tools.headend.store.errors import StoreError, StoreUnavailable

_SQLITE, _POSTGRESQL = "sqlite", "postgresql"
_PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=OFF", "busy_timeout=5000")
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_PREPARE_LOCK = "bcast-uicc schema"
_PLAIN_PATH = re.compile(r"(?!\w+:)[^\0]+|\w:[\\/][^\0]*")


class _Open:
    """One transaction that is open."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.is_void = False

    def void(self) -> None:
        self.is_void = True


class Database:
    """A database that is open. Everything is read and written within `transaction`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._open: _Open | None = None
        self._shared = engine.dialect.name == _POSTGRESQL
        self._forget: list[Callable[[], None]] = []
        self.committed = 0
        self.rolled_back = 0

    @classmethod
    def connect(cls, url: str) -> Database:
        """Open a database by its URL (or the path of an SQLite file) and see to its tables. Raises `StoreError`."""
        engine = _engine(url)
        opened = cls(engine)
        try:
            with opened.transaction():
                if opened._shared:
                    opened.hold(_PREPARE_LOCK)
                schema.prepare(opened.connection)
        except (DBAPIError, sqlite3.Error) as error:  # SQLAlchemy wraps what happens at its first look, too, or not
            engine.dispose()
            wrong = StoreUnavailable if isinstance(error, OperationalError | sqlite3.OperationalError) else StoreError
            raise wrong(f"the store {shown(url)} cannot be used: {_reason(error)}") from None
        except BaseException:
            engine.dispose()
            raise
        return opened

    @property
    def connection(self) -> Connection:
        """The connection of the transaction that is open."""
        if self._open is None:
            raise RuntimeError("the store is used outside a transaction")
        return self._open.connection

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Yield a transaction: kept as a whole when the block ends, not at all after an exception or `void`.

        Within one that is open already it is the same one.
        """
        if self._open is not None:
            yield self._open
            return
        with self._engine.connect() as connection:
            self._open = opened = _Open(connection)
            try:
                connection.begin()
                yield opened
                if opened.is_void:
                    self._roll_back(connection)
                else:
                    connection.commit()
                    self.committed += 1
            except BaseException:
                self._roll_back(connection)
                raise
            finally:
                self._open = None

    def on_rollback(self, forget: Callable[[], None]) -> None:
        """Have this called whenever a transaction is not kept: what was read in it may be there no more."""
        self._forget.append(forget)

    def run(self, statement: TextClause, values: Mapping[str, object] | None = None) -> CursorResult[Any]:
        """Run a statement in the transaction that is open.

        Raises `HeadendError` for a text that no database here keeps: whoever sent it would be told of a defect of ours.
        """
        if values is None:
            return self.connection.execute(statement, {})
        for value in values.values():
            if isinstance(value, str) and not _can_be_kept(value):
                raise HeadendError("what was asked for is no text that a store has: it has NUL or half a character")
        return self.connection.execute(statement, values)

    def hold(self, name: str) -> None:
        """Keep other processes from working for the same subscriber until the transaction ends."""
        if self._shared:
            self.run(_LOCK, {"name": name})

    @property
    def is_shared(self) -> bool:
        """Whether several processes may write at the same time; SQLite lets one at a time begin."""
        return self._shared

    def _roll_back(self, connection: Connection) -> None:
        self.rolled_back += 1
        for forget in self._forget:
            forget()
        try:
            connection.rollback()
        finally:
            if not (self._shared or connection.invalidated):
                self._give_up(connection)

    def _give_up(self, connection: Connection) -> None:
        """Let the next transaction have a connection of its own.

        Whoever broke off may have left a statement half read, and as long as its cursor lives, which an exception may
        keep, SQLite commits nothing on this connection. Closed, it would hold its locks until then: so SQLite itself
        is told to roll back, which SQLAlchemy leaves out after a COMMIT that has failed.
        """
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection), "one that is not shared is of SQLite"
        driver.rollback()
        connection.invalidate()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def _can_be_kept(value: str) -> bool:
    """Tell whether a text is one to PostgreSQL: without NUL, and Unicode throughout."""
    if "\0" in value:
        return False
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def sqlite_file(url: str) -> Path | None:
    """Return the file of an SQLite store, None where it is no file of this computer. Raises `StoreError`."""
    made = _url(url)
    name = made.database
    if made.get_backend_name() != _SQLITE or not name or name == ":memory:":
        return None
    if name.startswith("file:"):
        raise StoreError(f"{shown(url)}: a store of SQLite is named by its path, as sqlite:///FILE")
    return Path(name)


def shown(url: str) -> str:
    """Return a URL as it may be shown, without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return url if "@" not in url else "(a URL that cannot be read)"


def _url(url: str) -> URL:
    """Read a URL, or the path of an SQLite file. Raises `StoreError`."""
    try:
        made = make_url(f"sqlite:///{url}" if _PLAIN_PATH.fullmatch(url) else url)
        if made.drivername == _POSTGRESQL:
            made = made.set(drivername="postgresql+psycopg")
        if made.get_backend_name() not in (_SQLITE, _POSTGRESQL):
            raise StoreError(f"a store is SQLite or PostgreSQL, not {made.get_backend_name()}")
    except (ArgumentError, NoSuchModuleError, TypeError):
        raise _no_url(url) from None
    return made


def _no_url(url: str) -> StoreError:
    return StoreError(f"{shown(url)} is no URL of a database; sqlite:///FILE or postgresql://HOST/NAME is")


def _engine(url: str) -> Engine:
    made = _url(url)
    try:
        # One connection is enough: there is one transaction at a time.
        engine = create_engine(made, pool_size=1, max_overflow=0, pool_pre_ping=made.get_backend_name() != _SQLITE)
    except (ArgumentError, NoSuchModuleError, TypeError):
        raise _no_url(url) from None
    except ModuleNotFoundError as error:
        raise StoreError(f"{error.name} is not installed: pip install 'bcast-uicc[postgresql]'") from None
    if engine.dialect.name == _SQLITE:
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_immediate)
    return engine


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # or Python begins transactions by itself
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _reason(error: Exception) -> str:
    """Return the first line of what the driver says; it names no value of ours."""
    original = getattr(error, "orig", None)
    return (str(original or type(error).__name__).splitlines() or [""])[0]
