"""Old card files are brought to the present schema step by step."""

from __future__ import annotations

import json
from typing import Any

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
    migrated = MIGRATIONS[1]({"msk/USIM/a": json.dumps(old).encode(), "ef/x": b"1"})
    assert {name: json.loads(raw) for name, raw in migrated.items() if name != "ef/x"} == {
        "msk/USIM/a": {"key": key, "lower": 1},
        f"heard/USIM/a-{fingerprint}": {"counter": 7, "last_mtk": 3, "assumed": False},
    }


KEY = "00112233445566778899aabbccddeeff"
UA = "0100000001"


def renewed(records: dict[str, Any]) -> dict[str, Any]:
    """Return records of version 2 as version 3 has them."""
    migrated = MIGRATIONS[2]({name: json.dumps(record).encode() for name, record in records.items()})
    return {name: json.loads(raw) for name, raw in migrated.items()}


@pytest.mark.norm("74")
def test_version_3_names_a_muk_by_the_fqdn() -> None:
    muk = {"slot": 1, "id_i": "6e6166" + UA, "id_r": "62", "key": KEY, "counter": 7}
    assert renewed({"muk/USIM/01": muk, "muk/USIM/02": {**muk, "id_i": "6e6166" + "0100000002"}}) == {
        "muk/USIM/01": {**muk, "id_i": "6e6166", "used_id_r": "62", "used_key": KEY}
    }


@pytest.mark.norm("74")
def test_version_3_makes_lower_limits_exclusive_where_they_are_mtk_ids() -> None:
    msk = {"lower": 1, "upper": 9}
    assert renewed(
        {"msk/USIM/a": msk, "msk/USIM/b": {"lower": 0, "upper": 9}, "msk/USIM/c": msk, "spe/USIM/c": 1}
    ) == {"msk/USIM/a": {"lower": 0, "upper": 9}, "msk/USIM/b": {"lower": 0, "upper": 9}, "msk/USIM/c": msk,
          "spe/USIM/c": 1}  # fmt: skip


@pytest.mark.norm("74")
def test_version_3_names_counters_by_the_msk_id() -> None:
    heard = {"counter": 7, "last_mtk": 3, "assumed": False, "gone": 0}
    records = {
        "heard/USIM/00f110-00010001-aaaa": heard,
        "heard/USIM/00f110-00010002-bbbb": {**heard, "counter": 0},
        "heard/USIM/00f110-00010001-cccc": {**heard, "gone": 2},
        "heard-muk/USIM/dddd": {**heard, "gone": 1},
    }
    assert renewed(records) == {
        "heard/USIM/00f110-00010001": heard,
        "heard/USIM/00f110-00010002": {**heard, "counter": -1},
        "heard/USIM/00f110-00010001-cccc": {**heard, "gone": 2},
        "heard-muk/USIM/deleted-dddd": {**heard, "gone": 1},
    }


@pytest.mark.parametrize("raw", [b"", b"[]", b"7", b"{}", b"\xff", b"[" * 100_000])
@pytest.mark.parametrize("name", ["muk/USIM/01", "msk/USIM/a", "heard/USIM/a-b"])
def test_a_damaged_record_of_version_2_is_named_and_not_shown(name: str, raw: bytes) -> None:
    with pytest.raises(StoreError, match=rf"^card file: record {name} cannot be read$"):
        migrate({name: raw}, 2)


WITHOUT_KEY = b'{"counter":1,"last_mtk":1,"assumed":0}'


@pytest.mark.parametrize("raw", [b"", b"[]", b"7", b"{}", b"\xff", b"[" * 100_000, WITHOUT_KEY])
def test_a_damaged_record_is_named_and_not_shown(raw: bytes) -> None:
    with pytest.raises(StoreError, match=r"^card file: record msk/USIM/a cannot be read$"):
        migrate({"msk/USIM/a": raw}, 1)
