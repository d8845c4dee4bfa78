"""What was heard under a key outlives the key, up to a number of keys."""

from __future__ import annotations

import pytest

from card.crypto.secret import Secret
from card.domain.keys.freshness import NEVER, NOTHING, Freshness, LastMessage, fingerprint, is_newer
from card.spec.provisional import CAPACITY
from card.state.nonvolatile import NonVolatile
from card.store.memory import MemoryStore

REMEMBERED = CAPACITY["forgotten_keys"].value


@pytest.fixture
def nv() -> NonVolatile:
    return NonVolatile(MemoryStore())


@pytest.fixture
def freshness(nv: NonVolatile) -> Freshness:
    return Freshness(nv, "heard/USIM/")


KEY, OTHER = Secret(bytes(range(16))), Secret(bytes(16))


@pytest.mark.parametrize(
    ("new", "old", "newer"),
    [
        (1, 0, True), (5, 5, False), (5, 0xFFFFFFF0, True), (0x80000000, 1, True), (0x80000001, 1, False),
        (0x80000002, 1, False), (0, NEVER, True), (0xFFFFFFFF, NEVER, True), (0, 0, False),
    ],
)  # fmt: skip
@pytest.mark.norm("17")
def test_serial_numbers_of_32_bits(new: int, old: int, newer: bool) -> None:
    assert is_newer(new, old) is newer


def test_under_an_unknown_key_nothing_was_heard(freshness: Freshness) -> None:
    assert freshness.of("a") == NOTHING == LastMessage(NEVER, -1)
    assert not NOTHING.live


def test_a_key_that_goes_and_comes_again_goes_on(freshness: Freshness) -> None:
    freshness.note("a", LastMessage(7, 3))
    freshness.leave("a", KEY)
    assert freshness.of("a") == NOTHING
    freshness.take_up("a", OTHER)
    assert freshness.of("a") == NOTHING
    freshness.take_up("a", KEY)
    assert freshness.of("a") == LastMessage(7, 3)


@pytest.mark.parametrize(("here", "then"), [(9, 9), (3, 7)])
def test_the_newer_counter_counts(freshness: Freshness, here: int, then: int) -> None:
    freshness.note("a", LastMessage(7, 3))
    freshness.leave("a", KEY)
    freshness.note("a", LastMessage(here, 1))
    freshness.take_up("a", KEY)
    assert freshness.of("a").counter == then


def test_an_assumed_counter_gives_way_to_one_that_was_heard(freshness: Freshness) -> None:
    freshness.note("a", LastMessage(7, 3))
    freshness.leave("a", KEY)
    freshness.note("a", LastMessage(900, assumed=True))
    freshness.take_up("a", KEY)
    assert freshness.of("a") == LastMessage(7, 3)


@pytest.mark.parametrize("heard", [NOTHING, LastMessage(9, assumed=True)])
def test_what_no_message_told_is_not_kept(nv: NonVolatile, freshness: Freshness, heard: LastMessage) -> None:
    freshness.note("a", heard)
    freshness.leave("a", KEY)
    assert nv.keys("heard/USIM/") == []


def test_the_key_that_went_first_is_forgotten_first(nv: NonVolatile, freshness: Freshness) -> None:
    freshness.note("here", LastMessage(1, 1))
    for number in range(REMEMBERED + 2):
        freshness.note(f"{number:03}", LastMessage(number + 1, 0))
        freshness.leave(f"{number:03}", KEY)
    freshness.take_up("002", KEY)
    freshness.note("late", LastMessage(5, 5))
    freshness.leave("late", KEY)
    kept = {key.removeprefix("heard/USIM/").partition("-")[0] for key in nv.keys("heard/USIM/")}
    assert kept == {"here", "late", *(f"{number:03}" for number in range(2, REMEMBERED + 2))}


def test_a_name_tells_keys_apart_and_does_not_show_them() -> None:
    key, other = Secret(bytes(range(16))), Secret(bytes(16))
    assert fingerprint(key) == fingerprint(Secret(bytes(range(16)))) != fingerprint(other)
    assert fingerprint(key) not in key.reveal().hex()
