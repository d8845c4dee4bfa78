"""The store of throw-away cards."""

from __future__ import annotations

from card.ports import Store
from card.store.memory import MemoryStore


def test_it_is_a_store() -> None:
    assert isinstance(MemoryStore(), Store)


def test_commit_and_load() -> None:
    store = MemoryStore({"a": b"1", "b": b"2"})
    store.commit({"a": b"3", "b": None, "c": b"", "never there": None})
    store.close()
    assert store.load() == {"a": b"3", "c": b""}


def test_what_is_loaded_is_a_copy() -> None:
    given = {"a": b"1"}
    store = MemoryStore(given)
    store.load()["a"] = b"changed"
    given["a"] = b"changed"
    assert store.load() == {"a": b"1"}
