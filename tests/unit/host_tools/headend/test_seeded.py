"""Randomness from a seed: the same for the same seed and labels, different for any other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from host_tools.headend.seeded import Seeded, SeededRng

labels = st.lists(st.text(max_size=5) | st.integers() | st.binary(max_size=5), max_size=4)


def test_known_value() -> None:
    """Written down once: a change of the derivation would change every recording ever made."""
    assert Seeded("seed").derive(8, "label", 1).hex() == "3531abb541131881"


@given(st.text(), labels, st.integers(0, 100))
def test_same_seed_and_labels_give_the_same(seed: str, names: list[str | int | bytes], size: int) -> None:
    drawn = Seeded(seed).derive(size, *names)
    assert len(drawn) == size
    assert drawn == Seeded(seed).derive(size, *names)
    assert Seeded(seed).derive(size + 40, *names)[:size] == drawn


@given(labels, labels)
def test_different_labels_give_different_bytes(one: list[str | int | bytes], two: list[str | int | bytes]) -> None:
    kinds = [[(type(label), label) for label in names] for names in (one, two)]
    same = Seeded("").derive(16, *one) == Seeded("").derive(16, *two)
    assert same == (kinds[0] == kinds[1])


def test_different_seeds_give_different_bytes() -> None:
    assert Seeded("a").derive(16) != Seeded("b").derive(16)


@given(st.integers(1, 70))
def test_numbers_have_the_bits_asked_for(bits: int) -> None:
    assert 0 <= Seeded("x").derive_int(bits, "n") < 1 << bits


def test_a_generator_repeats_its_sequence() -> None:
    one, two = (SeededRng(Seeded("x"), "rand") for _ in range(2))
    drawn = [one.random_bytes(16) for _ in range(5)]
    assert drawn == [two.random_bytes(16) for _ in range(5)]
    assert len(set(drawn)) == 5


def test_nothing_shows_the_seed() -> None:
    assert repr(Seeded("hush")) == "Seeded()"
