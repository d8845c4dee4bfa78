"""The transaction over the non-volatile memory."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from card.errors import StoreError
from card.state.nonvolatile import NonVolatile
from card.store.memory import MemoryStore


class RecordingStore(MemoryStore):
    def __init__(self, contents: Mapping[str, bytes] | None = None) -> None:
        super().__init__(contents)
        self.commits: list[dict[str, bytes | None]] = []
        self.broken = False
        self.closed = 0

    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        if self.broken:
            raise StoreError("the disk is full")
        self.commits.append(dict(changes))
        super().commit(changes)

    def close(self) -> None:
        self.closed += 1


def test_changes_show_at_once_and_reach_the_store_at_commit() -> None:
    store = RecordingStore({"a/1": b"old"})
    nv = NonVolatile(store)
    nv.put("a/1", b"new")
    nv.put("a/2", b"more")
    assert (nv.get("a/1"), nv.get("a/2"), nv.changed) == (b"new", b"more", True)
    assert store.load() == {"a/1": b"old"}
    nv.commit()
    assert store.commits == [{"a/1": b"new", "a/2": b"more"}]
    assert not nv.changed


def test_rollback_restores_everything() -> None:
    nv = NonVolatile(RecordingStore({"a/1": b"old"}))
    nv.put("a/1", b"new")
    nv.put("a/2", b"more")
    nv.rollback()
    assert (nv.get("a/1"), nv.get("a/2"), nv.keys("a/")) == (b"old", None, ["a/1"])
    nv.delete("a/1")
    assert nv.get("a/1") is None
    nv.rollback()
    assert nv.get("a/1") == b"old"


def test_nothing_changed_is_no_commit() -> None:
    store = RecordingStore({"a/1": b"same"})
    nv = NonVolatile(store)
    nv.put("a/1", b"same")
    nv.delete("a/absent")
    nv.commit()
    assert store.commits == []


def test_a_table_lists_its_own_keys_in_order() -> None:
    nv = NonVolatile(RecordingStore({"pin/02": b"", "pin/01": b"", "pin/USIM/81": b"", "pinx/1": b"", "pin": b""}))
    assert nv.keys("pin/") == ["pin/01", "pin/02"]
    nv.put("pin/00", b"x")
    nv.delete("pin/01")
    assert nv.keys("pin/") == ["pin/00", "pin/02"]
    nv.commit()
    assert nv.keys("pin/") == ["pin/00", "pin/02"]
    assert nv.keys("nothing/") == []


def test_a_key_that_comes_and_goes_in_one_transaction() -> None:
    store = RecordingStore()
    nv = NonVolatile(store)
    nv.put("new/1", b"x")
    nv.delete("new/1")
    nv.commit()
    assert (nv.keys("new/"), store.load()) == ([], {})


def test_an_early_commit_survives_the_rollback_and_needs_a_reason() -> None:
    store = RecordingStore()
    nv = NonVolatile(store)
    nv.put("a/1", b"kept")
    nv.commit_now("a test")
    nv.put("a/2", b"lost")
    nv.rollback()
    assert store.load() == {"a/1": b"kept"}
    with pytest.raises(ValueError, match="reason"):
        nv.commit_now("")


def test_a_failed_commit_leaves_the_old_state() -> None:
    store = RecordingStore({"a/1": b"old"})
    nv = NonVolatile(store)
    nv.put("a/1", b"new")
    nv.put("b/1", b"new")
    store.broken = True
    with pytest.raises(StoreError):
        nv.commit()
    assert (nv.get("a/1"), nv.get("b/1"), nv.changed, nv.keys("b/")) == (b"old", None, False, [])


def test_close_drops_what_is_open() -> None:
    store = RecordingStore()
    nv = NonVolatile(store)
    nv.put("a/1", b"x")
    nv.close()
    assert (store.commits, store.closed) == ([], 1)
