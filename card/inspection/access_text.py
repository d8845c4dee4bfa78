"""Access rules in words, as a card profile writes them: `ALW`, `NEV`, `PIN1`, `PIN1 or ADM1`."""

from __future__ import annotations

from card.domain.pin import UNIVERSAL_PIN
from card.filesystem.access import AccessRule, Combination, Condition, Operation

_EVERY_EF = (Operation.READ, Operation.UPDATE, Operation.ACTIVATE, Operation.DEACTIVATE)
_LOCAL = 0x80
_ADM = 0x0A


def describe_rule(rule: AccessRule) -> dict[str, str]:
    """Return the condition for each operation; operations that are rare and forbidden are left out."""
    described = {}
    for operation in Operation:
        condition = describe_condition(rule.condition(operation))
        if operation in _EVERY_EF or condition != "NEV":
            described[str(operation.name).lower()] = condition
    return described


def describe_condition(condition: Condition) -> str:
    """Return a security condition in words."""
    if not condition.references:
        return "NEV" if condition.combination is Combination.ANY else "ALW"
    word = " or " if condition.combination is Combination.ANY else " and "
    return word.join(key_name(reference) for reference in condition.references)


def key_name(reference: int) -> str:
    """Return the name of a key reference (TS 102 221 clause 9.5.1), e.g. `PIN1`, `PIN2 of application 3`, `ADM6`."""
    number = reference & ~_LOCAL
    second = reference >= _LOCAL
    if reference == UNIVERSAL_PIN:
        return "UNIVERSAL"
    if 1 <= number <= 8:
        owner = "" if number == 1 else f" of application {number}"
        return f"PIN{2 if second else 1}{owner}"
    if _ADM <= number < _ADM + 5:
        return f"ADM{number - _ADM + (6 if second else 1)}"
    return f"key {reference:02X}"
