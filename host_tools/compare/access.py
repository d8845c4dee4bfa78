"""Finds out who may use the files of a card: from its access rules where it shows them, else from what it refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from card.codec.access_rule import ALWAYS, NEVER, AccessRule, Condition, Operation, needs
from card.codec.access_words import describe_condition, parse_condition
from card.errors import DecodeError
from card.spec.status import SW
from host_tools.compare.explore import FoundCard, FoundFile

_PIN1 = 0x01
_MF = "3F00"
_NAMES: Mapping[str, Operation] = {
    name: Operation[name.upper()] for name in ("read", "update", "increase", "activate", "deactivate", "terminate")
}


@dataclass(frozen=True, slots=True)
class FoundAccess:
    """The conditions that are known, by operation, and in words where from or why not.

    `expanded`: the rule stands in the file's own FCP, not in EF_ARR.
    """

    conditions: Mapping[Operation, Condition]
    source: str
    expanded: bool = False


def find_access(card: FoundCard, path: str) -> FoundAccess:
    """Return what is known about access to a file of the card: its rule, else what a read showed."""
    file = card.files[path]
    content, source = _rule_of(card, path, file)
    if content is None:
        return _observed(card, file)
    try:
        rule = AccessRule.decode(content)
    except DecodeError as error:
        return FoundAccess({}, f"unknown: {source} is not understood ({error})")
    return FoundAccess({operation: rule.condition(operation) for operation in _NAMES.values()}, source, bool(file.rule))


def access_lines(found: FoundAccess, known: FoundAccess | None) -> Iterator[str]:
    """Yield the line of a profile that gives a file these conditions, and comments on what no profile can say.

    Only conditions that differ from `known` are given; without it, the file is new and nothing is allowed yet.
    """
    wanted, unsaid = dict[str, str](), list[str]()
    for name, operation in _NAMES.items():
        condition = found.conditions.get(operation)
        if condition is None or condition == (known.conditions.get(operation) if known else NEVER):
            continue
        words = describe_condition(condition)
        if _can_be_said(condition):
            wanted[name] = f'"{words}"'
        else:
            unsaid.append(f"{name} needs {words}")
    if found.expanded and not (known and known.expanded):
        wanted["expanded"] = "true"
    if wanted:
        given = ", ".join(f"{name} = {value}" for name, value in wanted.items())
        yield f"access = {{ {given} }}  # {found.source}"
    yield from (f"# no profile can say: {words}" for words in unsaid)


def differing(found: FoundAccess, known: FoundAccess) -> bool:
    """Tell whether a condition that is known of the card is another in `known`."""
    return any(known.conditions.get(operation) != condition for operation, condition in found.conditions.items())


def _can_be_said(condition: Condition) -> bool:
    try:
        return parse_condition(describe_condition(condition)) == condition
    except ValueError:
        return False


def _rule_of(card: FoundCard, path: str, file: FoundFile) -> tuple[bytes | None, str]:
    """Return the access rule as the card codes it, and where it stands."""
    if file.rule:
        return file.rule, "in its FCP"
    if file.arr is None:
        return None, ""
    fid, number = file.arr
    for directory in _directories(path):
        arr = card.files.get(f"{directory}/{fid:04X}")
        if arr is not None and arr.content is not None:
            if 1 <= number <= len(arr.content):
                return arr.content[number - 1], f"EF_ARR {directory}/{fid:04X}, record {number}"
            return None, ""
    return None, ""


def _directories(path: str) -> Iterator[str]:
    """Yield where EF_ARR is looked for: the file's own directory, those above it, the MF (TS 102 221 clause 9.2.7)."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
    if path != _MF:
        yield _MF


def _observed(card: FoundCard, file: FoundFile) -> FoundAccess:
    """Return what reading showed. Who may write is not tried: a success would change the card."""
    pin_counts = any(status.reference == _PIN1 and status.enabled for status in card.pins)
    if file.before == SW.OK and pin_counts:
        return FoundAccess({Operation.READ: ALWAYS}, "observed: read without the PIN; the rest is unknown")
    if file.before == SW.SECURITY_NOT_SATISFIED and file.after == SW.OK:
        return FoundAccess(
            {Operation.READ: needs(_PIN1)}, "observed: refused without PIN1, read with it; the rest is unknown"
        )
    if file.before == SW.OK:
        return FoundAccess({}, "unknown: it was read, but PIN1 is disabled, so it may be ALW or PIN1")
    return FoundAccess({}, "unknown: neither a rule nor a successful read")
