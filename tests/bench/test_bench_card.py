"""The card in process, on one core: what an authentication and an STKM cost, where it goes, and what durability adds.

Absolute figures are of the machine and the minute; quote the ratios, which come from one run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from card import Card, CardProfile, create_card, memory_card
from card.crypto import mikey_keys, primitives
from tests.bench.harness import measure_ratio
from tests.bench.test_bench_transport import Announce, announce
from tests.bench.usim_rounds import Rounds, UsimRounds

__all__ = ["announce"]

PAIRS, ROUNDS, WARM_UP = 20, 100, 20
COUNT = PAIRS * ROUNDS + WARM_UP

KINDS: dict[str, Callable[[UsimRounds], Rounds]] = {
    "3G AUTHENTICATE": UsimRounds.authenticate,
    "MTK generation": UsimRounds.stkm_to_tek,
}


def powered(card: Card) -> Card:
    card.power_on()
    return card


@pytest.fixture
def card_file(tmp_path: Path) -> Iterator[Card]:
    card = powered(create_card(CardProfile.demo(), tmp_path / "bench.card"))
    yield card
    card.close()


@pytest.mark.parametrize("kind", KINDS)
def test_cost_of_durability(card_file: Card, announce: Announce, kind: str) -> None:
    """The same rounds on a card in memory and on one with its card file."""
    volatile = KINDS[kind](UsimRounds(powered(memory_card(CardProfile.demo())).transmit, COUNT))
    durable = KINDS[kind](UsimRounds(card_file.transmit, COUNT))
    ratio = measure_ratio(volatile, durable, pairs=PAIRS, rounds=ROUNDS, warm_up=WARM_UP)
    announce(f"{kind} with its card file, against a card in memory: {ratio}; durability is {1 - ratio.share:.0%}")


class Clocked:
    """Counts the time spent inside the functions that are nothing but AES and HMAC."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def around(self, function: Callable[..., object]) -> Callable[..., object]:
        def timed(*arguments: object) -> object:
            start = time.perf_counter()
            try:
                return function(*arguments)
            finally:
                self.seconds += time.perf_counter() - start

        return timed


@pytest.mark.parametrize("kind", KINDS)
def test_share_of_aes_and_hmac(card_file: Card, announce: Announce, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Time inside AES and HMAC as a share of the whole round; timing them makes the round a little slower."""
    one_round = KINDS[kind](UsimRounds(card_file.transmit, COUNT))
    clocked = Clocked()
    kept: dict[type, str] = {
        primitives.AesBlock: "encrypt", primitives.AesCounter: "apply", primitives.HmacSha1: "digest",
    }  # fmt: skip
    for cls, name in kept.items():
        monkeypatch.setattr(cls, name, clocked.around(getattr(cls, name)))
    monkeypatch.setattr(mikey_keys, "hmac_sha1", clocked.around(primitives.hmac_sha1))
    start = time.perf_counter()
    for _ in range(ROUNDS):
        one_round()
    whole = time.perf_counter() - start
    announce(f"{kind}: {ROUNDS / whole:,.0f} a second, {clocked.seconds / whole:.0%} of it in AES and HMAC")


@pytest.mark.parametrize("kind", KINDS)
def test_rate(benchmark: Callable[..., object], card_file: Card, kind: str) -> None:
    """The plain rate, as pytest-benchmark reports it."""
    one_round = KINDS[kind](UsimRounds(card_file.transmit, COUNT))
    benchmark.pedantic(one_round, rounds=20, iterations=50)  # type: ignore[attr-defined]  # the fixture has no types
