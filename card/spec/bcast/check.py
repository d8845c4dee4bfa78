"""Finds what cannot work in a set of BCAST tables, before a card is made with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import TypeVar

from card.spec.bcast.p1 import P1
from card.spec.bcast.tables import (
    COST,
    LOWEST_STATUS_WORD,
    RESERVED,
    BcastTables,
    Debit,
    FieldKind,
    Layout,
    Reason,
)

T = TypeVar("T", bound=Hashable)

Problem = tuple[str, str]
"""Name of the table, and what is wrong in it."""

_INDISPENSABLE: Mapping[str, frozenset[str]] = {
    "ltkm": frozenset({"security_policy_ext_flag", "security_policy_extension", "cost_value"}),
    "stkm": frozenset({"protection_after_reception"}),
    "parental": frozenset({"pincode_flag", "level_flag", "rating_type", "level_granted"}),
}
_FIELDS: Mapping[str, frozenset[str]] = {
    name: frozenset(row.name for row in layout)
    for name, layout in (("ltkm", P1.ltkm), ("stkm", P1.stkm), ("parental", P1.parental))
}
_KINDS = {row.name: row.kind for layout in (P1.ltkm, P1.stkm, P1.parental) for row in layout}
_ACCEPTED = (Reason.DONE, Reason.PURSE_OVERFLOW)
_ERROR_WORDS = (range(0x6400, 0x7000), range(0x9300, 0x9F00))
_MOST_BITS = 32
_MOST_SPE_BITS = 8


def problems(tables: BcastTables) -> Iterator[Problem]:
    """Yield what is wrong; nothing for tables that a card can work with."""
    for name in _FIELDS:
        yield from ((name, text) for text in _layout_problems(name, getattr(tables, name)))
    yield from (("spe", text) for text in _spe_problems(tables))
    for name in ("response_tags", "audit_tags"):
        yield from ((name, text) for text in _tag_problems(getattr(tables, name)))
    yield from (("modes", text) for text in _mode_problems(tables.modes))
    yield from (("answers", text) for text in _answer_problems(tables.answers))
    yield from (("protection", text) for text in _protection_problems(tables))
    for value in _repeated(tables.descriptors.values()):
        yield "descriptors", f"found {value:02X} twice; allowed: every descriptor once"
    for kind in _repeated(tables.lower_is_stricter):
        yield "lower_is_stricter", f"found {kind} twice; allowed: every type of rating once"
    if sum(tables.properties.values()) > 0xFF or any(bits.bit_count() != 1 for bits in tables.properties.values()):
        yield "properties", "allowed: one bit of one byte each"
    for bit in _repeated(tables.properties.values()):
        yield "properties", f"found {bit:02X} twice; allowed: every bit once"
    if not tables.response_tags["status"] or not tables.response_tags["tek"]:
        yield "response_tags", "found 0 for status or tek; allowed: only other objects are left out"


def _layout_problems(name: str, layout: Layout) -> Iterator[str]:
    names = [row.name for row in layout if not row.name.startswith(RESERVED)]
    for repeated in _repeated(names):
        yield f"found {repeated} twice; allowed: every field once"
    for unknown in sorted(set(names) - _FIELDS[name]):
        yield f"found {unknown}; allowed: {', '.join(sorted(_FIELDS[name]))}"
    for missing in sorted(_INDISPENSABLE[name] - set(names)):
        yield f"{missing} is missing"
    yield from _row_problems(name, layout)
    yield from _run_problems(layout)


def _row_problems(name: str, layout: Layout) -> Iterator[str]:
    before: set[str] = {COST} if name == "ltkm" else set()
    for row in layout:
        if row.when and row.when not in before:
            yield f"{row.name} depends on {row.when}; allowed: a field that stands before it"
        if row.kind is not _KINDS.get(row.name, row.kind):
            yield f"{row.name} is of another kind; allowed: {_KINDS[row.name].value}"
        most = _MOST_SPE_BITS if row.name == "security_policy_extension" else _MOST_BITS
        if not 1 <= row.bits <= most:
            yield f"{row.name} has {row.bits} bits; allowed: 1 to {most}"
        before.add(row.name)


def _run_problems(layout: Layout) -> Iterator[str]:
    """Fields that come and go together must fill whole bytes, as must what stands before a field of variable length."""
    bits, when = 0, ""
    for row in layout:
        if bits % 8 and row.when != when:
            yield f"{row.name} does not begin with a byte; allowed: fields with the same condition fill whole bytes"
        if row.when != when:
            bits = 0
        when = row.when
        bits += row.bits
        if row.kind is not FieldKind.NUMBER and bits % 8:
            yield f"{row.name} does not end with a byte"
    if bits % 8:
        yield "the layout does not fill whole bytes"


def _spe_problems(tables: BcastTables) -> Iterator[str]:
    for value in _repeated(row.value for row in tables.spe):
        yield f"found value {value} twice; allowed: every value once"
    width = next((row.bits for row in tables.ltkm if row.name == "security_policy_extension"), _MOST_SPE_BITS)
    for row in tables.spe:
        if not 0 <= row.value < 1 << width:
            yield f"value {row.value} does not fit the {width} bits of the LTKM layout"
        free = row.debit is Debit.NEVER
        if free == (row.source.is_purse or row.source.is_counter):
            yield f"value {row.value} is paid {row.debit.value} from: {row.source.value}; allowed: both or none"
        if row.debit is Debit.ONCE and not row.source.is_purse:
            yield f"value {row.value} is paid once; allowed: from a purse"


def _tag_problems(tags: Mapping[str, int]) -> Iterator[str]:
    for tag in _repeated(tag for tag in tags.values() if tag):
        yield f"found {tag:02X} twice; allowed: every tag once"
    for name, tag in tags.items():
        # One byte, or two of which the first announces the second and the second no third.
        one = tag <= 0xFF and tag & 0x1F != 0x1F
        two = tag > 0xFF and tag >> 8 & 0x1F == 0x1F and not tag & 0x80
        if not one and not two:
            yield f"{name} = {tag:X} is no tag of one or two bytes"


def _answer_problems(answers: Mapping[Reason, int]) -> Iterator[str]:
    """What is accepted has a status byte, as a status word undoes the command; no refusal may look accepted."""
    accepted = {answers[reason]: reason for reason in _ACCEPTED if answers[reason] < LOWEST_STATUS_WORD}
    for reason, answer in answers.items():
        if reason in _ACCEPTED:
            if answer >= LOWEST_STATUS_WORD:
                yield f"found {answer:04X} for {reason.value}; allowed: a status byte, 00 to FF"
        elif answer in accepted:
            other = accepted[answer].value
            yield f"found {answer:02X} for {reason.value}, which is the answer for {other}; allowed: another"
        elif answer >= LOWEST_STATUS_WORD and not _refuses(answer):
            yield f"found {answer:04X} for {reason.value}; allowed: an error, 64XX to 6FXX (not 6CXX), 93XX to 9EXX"


def _refuses(sw: int) -> bool:
    """Tell whether a status word is an error that asks for nothing: no success, no warning, no wrong length (6CXX)."""
    return any(sw in errors for errors in _ERROR_WORDS) and sw >> 8 != 0x6C


def _protection_problems(tables: BcastTables) -> Iterator[str]:
    for value in _repeated(tables.protection.values()):
        yield f"found {value} twice; allowed: every value once"
    width = next((row.bits for row in tables.stkm if row.name == "protection_after_reception"), _MOST_BITS)
    for name, value in tables.protection.items():
        if not 0 <= value < 1 << width:
            yield f"{name} = {value} does not fit the {width} bits of the STKM layout"


def _mode_problems(modes: Mapping[str, int]) -> Iterator[str]:
    deletions = {"spe_deletion", "recording_deletion"}
    for group in (deletions, set(modes) - deletions):
        for mode in _repeated(modes[name] for name in group):
            yield f"found {mode:02X} twice; allowed: every mode once"


def _repeated(values: Iterable[T]) -> list[T]:
    return [value for value, count in Counter(values).items() if count > 1]
