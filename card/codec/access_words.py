"""Security conditions in words, as a card profile writes them: `ALW`, `NEV`, `PIN1`, `PIN1 or ADM1`."""

from __future__ import annotations

from card.codec.access_rule import ALWAYS, NEVER, AccessRule, Combination, Condition, Operation

_ALWAYS, _NEVER = "ALW", "NEV"
_OR, _AND = " or ", " and "
_UNIVERSAL = 0x11
_LOCAL = 0x80  # bit 8 of a reference: the key belongs to the current application or DF
_ADM = 0x0A
_MOST_KEYS = 8
_EVERY_EF = (Operation.READ, Operation.UPDATE, Operation.ACTIVATE, Operation.DEACTIVATE)


def describe_condition(condition: Condition) -> str:
    """Return a security condition in words."""
    if not condition.references:
        return _NEVER if condition.combination is Combination.ANY else _ALWAYS
    word = _OR if condition.combination is Combination.ANY else _AND
    return word.join(key_name(reference) for reference in condition.references)


def key_name(reference: int) -> str:
    """Return the name of a key reference (TS 102 221 clause 9.5.1), e.g. `PIN1`, `PIN2 of application 3`, `ADM6`."""
    number = reference & ~_LOCAL
    second = reference >= _LOCAL
    if reference == _UNIVERSAL:
        return "UNIVERSAL"
    if 1 <= number <= 8:
        owner = "" if number == 1 else f" of application {number}"
        return f"PIN{2 if second else 1}{owner}"
    if _ADM <= number < _ADM + 5:
        return f"ADM{number - _ADM + (6 if second else 1)}"
    return f"key {reference:02X}"


_REFERENCES = {key_name(reference): reference for reference in (0x01, 0x81, _UNIVERSAL, *range(0x0A, 0x0F),
                                                                *range(0x8A, 0x8F))}  # fmt: skip


def parse_condition(text: str) -> Condition:
    """Return the condition that `ALW`, `NEV`, `PIN1`, `PIN1 or ADM1`, `PIN1 and ADM2` names. Raises `ValueError`.

    Names are those of PIN1 and PIN2 of the first application, the universal PIN and the ten ADM keys.
    """
    if text in (_ALWAYS, _NEVER):
        return ALWAYS if text == _ALWAYS else NEVER
    combination = Combination.ALL if _AND in text else Combination.ANY
    names = text.split(_AND if combination is Combination.ALL else _OR)
    if len(names) > _MOST_KEYS or len(set(names)) != len(names) or not set(names) <= set(_REFERENCES):
        raise ValueError("no security condition")
    return Condition(combination, tuple(_REFERENCES[name] for name in names))


def describe_rule(rule: AccessRule) -> dict[str, str]:
    """Return the condition for each operation; operations that are rare and forbidden are left out."""
    described = {}
    for operation in Operation:
        condition = describe_condition(rule.condition(operation))
        if operation in _EVERY_EF or condition != "NEV":
            described[str(operation.name).lower()] = condition
    return described
