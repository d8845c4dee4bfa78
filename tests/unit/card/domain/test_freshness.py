"""What was heard under a key outlives the key, up to a number of keys."""

from __future__ import annotations

import pytest

from card.crypto.secret import Secret
from card.domain.freshness import NOTHING, Freshness, Heard, fingerprint
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


def test_under_an_unknown_key_nothing_was_heard(freshness: Freshness) -> None:
    assert freshness.of("a") == NOTHING == Heard(0, -1)


def test_a_key_that_goes_and_comes_again_goes_on(freshness: Freshness) -> None:
    freshness.note("a", Heard(7, 3))
    freshness.leave("a")
    assert freshness.of("a") == Heard(7, 3, gone=1)
    freshness.take_up("a")
    assert freshness.of("a") == Heard(7, 3)


@pytest.mark.parametrize("heard", [NOTHING, Heard(9, assumed=True), Heard(0, assumed=False)])
def test_what_no_message_told_is_not_kept(nv: NonVolatile, freshness: Freshness, heard: Heard) -> None:
    freshness.note("a", heard)
    freshness.leave("a")
    assert nv.keys("heard/USIM/") == []


def test_the_key_that_went_first_is_forgotten_first(nv: NonVolatile, freshness: Freshness) -> None:
    freshness.note("here", Heard(1, 1))
    for number in range(REMEMBERED + 2):
        freshness.note(f"{number:03}", Heard(number + 1, 0))
        freshness.leave(f"{number:03}")
    freshness.take_up("002")
    freshness.note("late", Heard(5, 5))
    freshness.leave("late")
    kept = {key.removeprefix("heard/USIM/") for key in nv.keys("heard/USIM/")}
    assert kept == {"here", "late", *(f"{number:03}" for number in range(2, REMEMBERED + 2))}


def test_a_name_tells_keys_apart_and_does_not_show_them() -> None:
    key, other = Secret(bytes(range(16))), Secret(bytes(16))
    assert fingerprint(key) == fingerprint(Secret(bytes(range(16)))) != fingerprint(other)
    assert fingerprint(key) not in key.reveal().hex()
