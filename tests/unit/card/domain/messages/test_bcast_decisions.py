"""The decision tables: every assignment of conditions comes to an end, every row is used, the docs show them all."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from enum import Enum
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.domain.messages.decision import DecisionTable, Rule
from card.domain.messages.ltkm import _ACTIONS
from card.domain.messages.ltkm_facts import CONDITIONS as LTKM_CONDITIONS
from card.domain.messages.rules import (
    LTKM_RULES,
    STKM_RULES,
    Grant,
    LtkmAction,
    LtkmCondition,
    LtkmState,
    StkmCondition,
    StkmState,
)
from card.domain.messages.verdict import CONDITIONS as STKM_CONDITIONS
from card.spec.bcast.tables import Reason

TABLES: list[tuple[DecisionTable[Any, Any, Any], type[Enum], type[Enum], tuple[type[Enum], ...]]] = [
    (STKM_RULES, StkmState, StkmCondition, (Grant, Reason)),
    (LTKM_RULES, LtkmState, LtkmCondition, (LtkmAction, Reason)),
]


def assignments(conditions: type[Enum]) -> st.SearchStrategy[Mapping[Enum, bool]]:
    return st.fixed_dictionaries({condition: st.booleans() for condition in conditions})


def decide(table: DecisionTable[Any, Any, Any], start: Enum, answers: Mapping[Any, bool]) -> Enum:
    """Walk with given answers instead of the card's."""
    asked: dict[Enum, Callable[[Mapping[Any, bool]], bool]] = {each: itemgetter(each) for each in answers}
    end = table.bind(asked).decide(start, answers)
    assert isinstance(end, Enum)
    return end


@pytest.mark.parametrize(("table", "states", "conditions", "ends"), TABLES, ids=["STKM", "LTKM"])
def test_every_state_and_condition_is_used_and_every_walk_ends(
    table: DecisionTable[Any, Any, Any], states: type[Enum], conditions: type[Enum], ends: tuple[type[Enum], ...]
) -> None:
    assert {rule.state for rule in table.rules} == set(states)
    assert {rule.condition for rule in table.rules} - {None} == set(conditions)
    for state, condition in itertools.product(states, conditions):
        for value in (True, False):
            answers = dict.fromkeys(conditions, not value) | {condition: value}
            assert isinstance(decide(table, state, answers), ends), (state, condition)


@given(assignments(StkmCondition))
def test_any_answers_about_an_stkm_lead_to_the_row_that_says_so(facts: Mapping[StkmCondition, bool]) -> None:
    end = decide(STKM_RULES, StkmState.VERIFIED, facts)
    if isinstance(end, Grant):
        assert not facts[StkmCondition.NO_RECORD]
        assert not facts[StkmCondition.NONE_VALID]
        assert not facts[StkmCondition.NEEDS_CHANNEL]
        assert facts[StkmCondition.ALLOWED]
    paid = end is Grant.PAID
    assert not paid or facts[StkmCondition.PAYABLE]


@given(assignments(LtkmCondition))
def test_any_answers_about_an_ltkm(facts: Mapping[LtkmCondition, bool]) -> None:
    end = decide(LTKM_RULES, LtkmState.VERIFIED, facts)
    assert (end is LtkmAction.PLAIN) == facts[LtkmCondition.NO_POLICY]
    if end in (LtkmAction.ADD, LtkmAction.OVERWRITE, LtkmAction.WITHDRAW, LtkmAction.FILL_PURSE):
        assert not facts[LtkmCondition.SPE_UNKNOWN]
        assert not facts[LtkmCondition.TOKENS_WITHOUT_PURSE]


def test_every_condition_and_action_has_its_code() -> None:
    assert set(STKM_CONDITIONS) == set(StkmCondition)
    assert set(LTKM_CONDITIONS) == set(LtkmCondition)
    assert set(_ACTIONS) == set(LtkmAction)


def test_every_reason_can_be_reached() -> None:
    """Reasons end a walk, or are told by the command beside it."""
    ends = {rule.then for table in (STKM_RULES, LTKM_RULES) for rule in table.rules}
    told = {Reason.DONE, Reason.PURSE_OVERFLOW, Reason.LTKM_REPLAYED, Reason.RECORDED}
    assert {end for end in ends if isinstance(end, Reason)} | told == set(Reason)


def test_a_state_that_does_not_take_every_case_is_refused() -> None:
    with pytest.raises(ValueError, match="every other case"):
        DecisionTable[StkmState, StkmCondition, Grant]([Rule(StkmState.LIVE, StkmCondition.RESENT, Grant.FREE)])


@pytest.mark.parametrize(("table", "name"), [(STKM_RULES, "stkm"), (LTKM_RULES, "ltkm")])
def test_the_docs_show_the_rows(table: DecisionTable[Any, Any, Any], name: str) -> None:
    from tools.draw_decisions import DOCS, draw, rows

    assert (DOCS / "_static" / f"{name}-decision.svg").read_text("utf-8") == draw(table)
    assert rows(table) in Path(DOCS / "spec" / "bcast.md").read_text("utf-8")
