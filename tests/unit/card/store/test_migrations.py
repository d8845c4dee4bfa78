"""Old card files are brought to the present schema step by step."""

from __future__ import annotations

import json

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


def test_version_2_parts_the_counters_from_the_key() -> None:
    key = "00112233445566778899aabbccddeeff"
    fingerprint = "a8faed6abbf35c12"
    old = {"key": key, "lower": 1, "counter": 7, "last_mtk": 3, "assumed": False}
    migrated = migrate({"msk/USIM/a": json.dumps(old).encode(), "ef/x": b"1"}, 1)
    assert {name: json.loads(raw) for name, raw in migrated.items() if name != "ef/x"} == {
        "msk/USIM/a": {"key": key, "lower": 1},
        f"heard/USIM/a-{fingerprint}": {"counter": 7, "last_mtk": 3, "assumed": False},
    }


WITHOUT_KEY = b'{"counter":1,"last_mtk":1,"assumed":0}'


@pytest.mark.parametrize("raw", [b"", b"[]", b"7", b"{}", b"\xff", b"[" * 100_000, WITHOUT_KEY])
def test_a_damaged_record_is_named_and_not_shown(raw: bytes) -> None:
    with pytest.raises(StoreError, match=r"^card file: record msk/USIM/a cannot be read$"):
        migrate({"msk/USIM/a": raw}, 1)
