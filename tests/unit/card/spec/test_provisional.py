"""A provisional value says what it decides, and is marked so wherever it is printed."""

from __future__ import annotations

import pytest

from card.spec import provisional
from card.spec.provisional import Choice
from card.spec.refs import Confidence, Ref
from card.spec.status import find_row

CHOICES = {
    f"{table}.{name}": choice
    for table, rows in vars(provisional).items()
    if isinstance(rows, dict)
    for name, choice in rows.items()
    if isinstance(choice, Choice)
}


def test_there_are_choices() -> None:
    assert {"MBMS_STATUS.msk_replay", "CAPACITY.naf_keys"} <= set(CHOICES)


@pytest.mark.parametrize("choice", CHOICES.values(), ids=CHOICES)
def test_choice(choice: Choice) -> None:
    assert choice.decides
    assert choice.ref.clause


@pytest.mark.parametrize("name", provisional.MBMS_STATUS)
def test_a_status_is_one_the_card_knows(name: str) -> None:
    assert find_row(provisional.MBMS_STATUS[name].value) is not None


@pytest.mark.parametrize(
    ("confidence", "marked"),
    [
        (Confidence.SOURCED, False),
        (Confidence.RECALLED, False),
        (Confidence.UNSURE, True),
        (Confidence.OURS, True),
    ],
)
def test_mark(confidence: Confidence, marked: bool) -> None:
    ref = Ref("TS 31.102", "7.1.1.6", confidence)
    assert ref.provisional is marked
    assert ("provisional" in str(ref)) is marked
