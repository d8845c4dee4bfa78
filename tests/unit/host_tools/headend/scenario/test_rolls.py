"""SEKs out of turn, in whichever order they become known."""

from __future__ import annotations

from itertools import permutations

import pytest

from host_tools.headend.scenario.rolls import FIRST_ROLLED, Roll, Rolls
from host_tools.headend.service_keys import KeyTerm

DOMAIN, GROUP = bytes.fromhex("00f110"), b"\0\1"


def roll(number: int, begins: int, ends: int = 20) -> Roll:
    msk_id = GROUP + (FIRST_ROLLED + number).to_bytes(2, "big")
    return Roll(begins, ends, KeyTerm("one", DOMAIN, msk_id, begins + 1, ends + 1))


FIRST, SECOND, THIRD = roll(0, 3), roll(1, 7), roll(2, 11, 12)


@pytest.mark.parametrize("told", [*permutations((FIRST, SECOND, THIRD))])
def test_the_newest_goes_before_even_where_it_came_first(told: tuple[Roll, ...]) -> None:
    """A BSD/A elsewhere is told of a SEK by the BSM and by the STKMs made for it, in no fixed order."""
    rolls = Rolls()
    for one in told:
        rolls.take([one])
    found = [rolls.find("one", period) for period in (2, 3, 7, 11, 13, 21)]
    assert found == [None, FIRST.term, SECOND.term, THIRD.term, SECOND.term, None]
    assert rolls.of("one") == (FIRST, SECOND, THIRD)


def test_one_that_is_told_again_changes_nothing_and_its_like_is_replaced() -> None:
    rolls = Rolls()
    rolls.take([FIRST, SECOND, FIRST])
    assert rolls.all() == (FIRST, SECOND)
    longer = roll(0, 3, 30)
    rolls.put(longer)
    assert rolls.all() == (longer, SECOND)
