"""Access rules in words: the condition for each operation."""

from __future__ import annotations

from card.codec.access_rule import AccessRule, Operation
from card.codec.access_words import describe_condition, key_name

__all__ = ["describe_condition", "describe_rule", "key_name"]

_EVERY_EF = (Operation.READ, Operation.UPDATE, Operation.ACTIVATE, Operation.DEACTIVATE)


def describe_rule(rule: AccessRule) -> dict[str, str]:
    """Return the condition for each operation; operations that are rare and forbidden are left out."""
    described = {}
    for operation in Operation:
        condition = describe_condition(rule.condition(operation))
        if operation in _EVERY_EF or condition != "NEV":
            described[str(operation.name).lower()] = condition
    return described
