"""Sequence numbers by TS 33.102 annex C."""

from __future__ import annotations

import pytest

from card.domain.authentication.sqn import SqnMemory, SqnScheme
from card.state.nonvolatile import NonVolatile
from card.store.memory import MemoryStore


def memory(scheme: SqnScheme | None = None) -> SqnMemory:
    return SqnMemory(NonVolatile(MemoryStore()), "USIM", scheme or SqnScheme())


def sqn(seq: int, ind: int = 0) -> int:
    return seq << 5 | ind


def test_a_new_card_takes_seq_1_and_not_0() -> None:
    card = memory()
    assert card.highest == 0
    assert not any(card.is_fresh(sqn(0, ind)) for ind in range(32))
    assert all(card.is_fresh(sqn(1, ind)) for ind in range(32))


def test_each_slot_is_judged_by_itself() -> None:
    card = memory()
    card.accept(sqn(10, 3))
    assert not card.is_fresh(sqn(10, 3))
    assert not card.is_fresh(sqn(9, 3))
    assert card.is_fresh(sqn(11, 3))
    assert card.is_fresh(sqn(1, 4)), "an old number in another slot"


def test_the_highest_is_over_all_slots() -> None:
    card = memory()
    for number in (sqn(5, 1), sqn(9, 2), sqn(7, 3)):
        card.accept(number)
    assert card.highest == sqn(9, 2)


@pytest.mark.parametrize(("jump", "fresh"), [(1 << 28, True), ((1 << 28) + 1, False)])
def test_the_widest_jump(jump: int, fresh: bool) -> None:
    card = memory()
    card.accept(sqn(100))
    assert card.is_fresh(sqn(100 + jump, 1)) is fresh


@pytest.mark.parametrize(("age", "fresh"), [(19, True), (20, False), (21, False)])
def test_the_age_limit(age: int, fresh: bool) -> None:
    card = memory(SqnScheme(age_limit=20))
    card.accept(sqn(100))
    assert card.is_fresh(sqn(100 - age, 1)) is fresh


@pytest.mark.parametrize("ind_bits", [0, 1, 5, 16])
def test_any_width_of_ind(ind_bits: int) -> None:
    card = memory(SqnScheme(ind_bits=ind_bits))
    card.accept(3 << ind_bits)
    assert not card.is_fresh(3 << ind_bits)
    assert card.is_fresh(4 << ind_bits)
    assert card.highest == 3 << ind_bits


def test_begin_at() -> None:
    card = memory()
    card.begin_at(1000)
    assert card.highest >> 5 == 1000
    assert not any(card.is_fresh(sqn(1000, ind)) for ind in range(32))
    assert all(card.is_fresh(sqn(1001, ind)) for ind in range(32))


def test_judging_stores_nothing() -> None:
    store = MemoryStore()
    nv = NonVolatile(store)
    SqnMemory(nv, "USIM", SqnScheme()).is_fresh(sqn(5))
    assert not nv.changed


def test_the_largest_sqn() -> None:
    card = memory(SqnScheme(delta=1 << 48))
    largest = (1 << 48) - 1
    assert card.is_fresh(largest)
    card.accept(largest)
    assert card.highest == largest
    assert not card.is_fresh(largest)
