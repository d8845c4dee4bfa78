"""Stores of both kinds, and the books of all three."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from card.crypto.secret import Secret
from host_tools.headend.bsm.books import Books
from host_tools.headend.bsm.memory_books import memory_books
from host_tools.headend.store.store import Store
from tests.support.postgresql import PostgreSql

KEY = Secret(bytes(range(32)))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'a.db'}"
    server: PostgreSql = request.getfixturevalue("postgresql")
    return server.database()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    found = Store.connect(url, KEY)
    yield found
    found.close()


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def books(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Books]:
    """Empty books of each kind, within a transaction."""
    if request.param == "memory":
        yield memory_books()
        return
    if request.param == "sqlite":
        where = str(tmp_path / "a.db")
    else:
        server: PostgreSql = request.getfixturevalue("postgresql")
        where = server.database()
    store = Store.connect(where, KEY)
    with store.database.transaction():
        yield store.books
    store.close()
