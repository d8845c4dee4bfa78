"""Old card files are brought to the present schema step by step."""

from __future__ import annotations

import hashlib
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


@pytest.mark.norm("74")
@pytest.mark.parametrize(("last_mtk", "kept"), [(3, 3), (9, 9), (2, -1), (10, -1), (-1, -1)])
def test_version_3_keeps_an_mtk_id_heard_where_it_lies_within_the_limits(last_mtk: int, kept: int) -> None:
    heard = {"counter": 7, "last_mtk": last_mtk, "assumed": False, "gone": 0}
    found = renewed({"heard/USIM/a-b-ffff": heard, "msk/USIM/a-b": {"lower": 3, "upper": 9}})
    assert found["heard/USIM/a-b"] == {**heard, "last_mtk": kept}


@pytest.mark.norm("74")
def test_version_3_keeps_an_mtk_id_heard_under_policies() -> None:
    """It tells a TEK that is sent again; the limits are timestamps."""
    heard = {"counter": 7, "last_mtk": 20, "assumed": False, "gone": 0}
    found = renewed({"heard/USIM/a-b-ffff": heard, "msk/USIM/a-b": {"lower": 3, "upper": 9}, "spe/USIM/a-b": 1})
    assert found["heard/USIM/a-b"] == heard


@pytest.mark.norm("74")
def test_version_3_leaves_what_a_csim_keeps_of_its_servers() -> None:
    muk = {"slot": 1, "id_i": "6e6166" + UA, "id_r": "62", "key": KEY, "counter": 7}
    assert renewed({"muk/CSIM/01": muk}) == {"muk/CSIM/01": muk}


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


# --- version 3


def shared_secret(terminal_id: bytes) -> tuple[str, bytes]:
    """Return name and content of a secret that a terminal was given beforehand."""
    name = hashlib.sha256(terminal_id).hexdigest()[:32]
    return f"sac-psk/{name}", json.dumps({"terminal_id": terminal_id.hex(), "key": "00" * 32}).encode()


def test_version_3_drops_local_keys_of_the_old_derivation_and_what_ran_on_them() -> None:
    old = {"ks-local/USIM/a": b"{}", "ks-local-randx/USIM/01": b"{}", "sac-master/00": b"{}", "ef/x": b"1"}
    assert migrate(old, 2) == {"ef/x": b"1"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"490154203237518", bytes.fromhex("17084A09512430325781")),
        (b"terminal-1", b"terminal-1"),
        (b"49015420323751", None),
        (b"a terminal with a longer name", None),
    ],
)
def test_version_3_names_terminals_as_ts_33_110_does(before: bytes, after: bytes | None) -> None:
    expected = dict([shared_secret(after)]) if after else {}
    assert migrate(dict([shared_secret(before)]), 2) == expected


@pytest.mark.parametrize("raw", [b"", b"[]", b"7", b"{}", b"\xff", b"[" * 100_000, b'{"terminal_id": 7}'])
def test_a_damaged_shared_secret_is_named_and_not_shown(raw: bytes) -> None:
    with pytest.raises(StoreError, match=r"^card file: record sac-psk/a cannot be read$"):
        migrate({"sac-psk/a": raw}, 2)


def test_version_3_names_group_keys_without_priority() -> None:
    old = {"group/USIM/178c29dd-02": b"vgcs", "group/USIM/178c29c8-01": b"vbs", "group/USIM/178c29d0-01": b"as it was"}
    assert migrate(old, 2) == {
        "group/USIM/178c29d0-02": b"vgcs",
        "group/USIM/178c29c0-01": b"vbs",
        "group/USIM/178c29d0-01": b"as it was",
    }
