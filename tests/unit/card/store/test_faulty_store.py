"""The store that cuts the power."""

from __future__ import annotations

import pytest

from card.ports import Store
from card.store.memory import MemoryStore
from tests.support.faulty_store import FaultyStore, PowerCut


def test_it_is_a_store() -> None:
    assert isinstance(FaultyStore(MemoryStore(), 1, before=True), Store)


def test_no_handler_of_the_card_can_catch_a_power_cut() -> None:
    assert not issubclass(PowerCut, Exception)


@pytest.mark.parametrize(("before", "kept"), [(True, {"a": b"1"}), (False, {"a": b"1", "b": b"2"})])
def test_cut_at_the_second_commit(before: bool, kept: dict[str, bytes]) -> None:
    inner = MemoryStore()
    store = FaultyStore(inner, 2, before=before)
    store.commit({"a": b"1"})
    with pytest.raises(PowerCut):
        store.commit({"b": b"2"})
    assert inner.load() == store.load() == kept
    assert store.commits == 2


def test_commits_beyond_the_cut_are_passed_on() -> None:
    store = FaultyStore(MemoryStore(), 0, before=True)
    store.commit({"a": b"1"})
    assert store.load() == {"a": b"1"}
