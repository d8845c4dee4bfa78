"""Access rules: what they say, and how EF_ARR holds them."""

from __future__ import annotations

import pytest

from card.codec.access_rule import (
    ALWAYS,
    NEVER,
    AccessRule,
    Combination,
    Condition,
    Operation,
    needs,
)
from card.errors import DecodeError

BOTH = Condition(Combination.ALL, (0x01, 0x0A))


@pytest.mark.parametrize(
    ("condition", "holder", "satisfied"),
    [
        (ALWAYS, set(), True),
        (NEVER, {0x01, 0x0A}, False),
        (needs(0x01), {0x01}, True),
        (needs(0x01), {0x0A}, False),
        (needs(0x01, 0x0A), {0x0A}, True),
        (BOTH, {0x0A}, False),
        (BOTH, {0x01, 0x0A}, True),
    ],
)
def test_condition(condition: Condition, holder: set[int], satisfied: bool) -> None:
    assert condition.satisfied(holder.__contains__) is satisfied


RULES = {
    "8001019000": AccessRule(((Operation.READ, ALWAYS),)),
    "800102A40683010A950108": AccessRule(((Operation.UPDATE, needs(0x0A)),)),
    "800103A406830101950108840132 9700": AccessRule(
        ((Operation.READ | Operation.UPDATE, needs(0x01)), (Operation.INCREASE, NEVER))
    ),
    "800101A010A406830101950108A40683010A950108": AccessRule(((Operation.READ, needs(0x01, 0x0A)),)),
    "800101AF10A406830101950108A40683010A950108": AccessRule(((Operation.READ, BOTH),)),
    "": AccessRule(()),
}


@pytest.mark.parametrize(("raw", "rule"), RULES.items())
def test_there_and_back(raw: str, rule: AccessRule) -> None:
    assert rule.encode() == bytes.fromhex(raw)
    assert AccessRule.decode(bytes.fromhex(raw) + b"\xff" * 7) == rule


def test_one_condition_for_a_mode_byte_and_an_instruction() -> None:
    rule = AccessRule(((Operation.READ | Operation.INCREASE, needs(0x01)),))
    again = AccessRule.decode(rule.encode())
    assert again.condition(Operation.INCREASE) == again.condition(Operation.READ) == needs(0x01)


def test_what_no_rule_names_is_never_allowed() -> None:
    rule = RULES["8001019000"]
    assert rule.condition(Operation.READ) == ALWAYS
    assert rule.condition(Operation.UPDATE) == NEVER
    assert AccessRule(()).condition(Operation.READ) == NEVER


def test_the_first_rule_that_names_an_operation_counts() -> None:
    rule = AccessRule(((Operation.READ, needs(0x01)), (Operation.READ, ALWAYS)))
    assert rule.condition(Operation.READ) == needs(0x01)


@pytest.mark.parametrize(
    "raw",
    [
        "800101", "80", "800101A4", "800101A400", "800101A403950108", "800101A40483020101", "80010199009E00",
        "800101A0028301", "800101B600",
    ],
)  # fmt: skip
def test_malformed_rules(raw: str) -> None:
    record = bytes.fromhex(raw)
    if raw == "800101":
        assert AccessRule.decode(record) == AccessRule(()), "modes without a condition grant nothing"
        return
    with pytest.raises(DecodeError):
        AccessRule.decode(record)
