"""Old card files are brought to the present schema step by step."""

from __future__ import annotations

import pytest

from card.errors import StoreError
from card.store import migrations
from card.store.migrations import MIGRATIONS, SCHEMA_VERSION, migrate


def test_every_step_exists() -> None:
    assert set(MIGRATIONS) == set(range(1, SCHEMA_VERSION))


def test_the_present_version_stays_as_it_is() -> None:
    assert migrate({"a": b"1"}, SCHEMA_VERSION) == {"a": b"1"}


@pytest.mark.parametrize("version", [-1, 0, SCHEMA_VERSION + 1])
def test_an_unknown_version(version: int) -> None:
    with pytest.raises(StoreError, match=f"schema version {version}, this release reads 1 to {SCHEMA_VERSION}"):
        migrate({}, version)


def test_steps_run_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = {1: lambda old: {**old, "seen": b"1"}, 2: lambda old: {**old, "seen": old["seen"] + b"2"}}
    monkeypatch.setattr(migrations, "MIGRATIONS", steps)
    monkeypatch.setattr(migrations, "SCHEMA_VERSION", 3)
    assert migrate({"a": b""}, 1) == {"a": b"", "seen": b"12"}
