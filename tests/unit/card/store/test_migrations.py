"""Old card files are brought to the present schema step by step."""

from __future__ import annotations

import hashlib
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
    migrated = MIGRATIONS[1]({"msk/USIM/a": json.dumps(old).encode(), "ef/x": b"1"})
    assert {name: json.loads(raw) for name, raw in migrated.items() if name != "ef/x"} == {
        "msk/USIM/a": {"key": key, "lower": 1},
        f"heard/USIM/a-{fingerprint}": {"counter": 7, "last_mtk": 3, "assumed": False},
    }


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
