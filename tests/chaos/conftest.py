"""What the tests of chaos share: the sheet that they fill, and a store of either kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.chaos.sheet import PROPERTY, Sheet
from tests.support.postgresql import PostgreSql


@pytest.fixture
def sheet(request: pytest.FixtureRequest) -> Iterator[Sheet]:
    """The counts of this test, which go into the table at the end of the run."""
    made = Sheet()
    yield made
    request.node.user_properties.append((PROPERTY, made.plain()))


@pytest.fixture
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty store is to be: the path of a file, or with the parameter "postgresql" the URL of a database."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return str(tmp_path / "a.db")
    server: PostgreSql = request.getfixturevalue("postgresql")
    return server.database()
