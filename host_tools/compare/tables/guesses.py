"""Guesses, from answers that differ, what another card has in its OMA BCAST tables (`card.spec.bcast.tables`).

A guess is never believed here: `learn_tables` keeps it only when the emulator with it answers more like the card.
Guesses that stand together explain the same difference, and at most one of them can be right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from card.codec.tlv import Tlv, iter_tlvs
from card.errors import DecodeError
from card.spec.bcast.tables import BcastTables, Reason, SpeRow
from card.spec.contexts import Step
from card.spec.ins import INS
from card.spec.status import SW
from host_tools.compare.model import Observation, Pair
from host_tools.compare.words import title
from host_tools.trace.printable import printable

SWITCHES = ("service_purse", "secure_channel", "identity_with_validity", "unrated_is_held")
UNSHOWN = ("", "rating")
"""Tables whose guesses no answer shows by itself."""
INSTRUCTIONS = (bytes((INS.OMA_BCAST,)), bytes((INS.AUTHENTICATE_ODD,)))
"""The commands whose answers the tables shape, by their instruction byte."""
_TEMPLATE = 0xAE
_FETCH = bytes((Step.FIRST_RESPONSE,))
_CONSTRUCTED = 0x20
_DELETIONS = ("spe_deletion", "recording_deletion")
_ANNOUNCED = (SW.RESPONSE_AVAILABLE, SW.MORE_RESPONSE, SW.MORE_RESPONSE_PROACTIVE)
_LONGEST_REASON = 90


@dataclass(frozen=True, slots=True)
class Guess:
    """One row of one table and what it may hold on the card; `seen` says in words what led to it.

    `table` is empty for a value that stands alone. In `spe`, `name` is the old number and `value` the new one (-1: the
    card has no such policy); in `spe+`, the policy called `name` also exists under the number `value`. In `rating`,
    `name` is a type of rating, of which the lower value is the stricter (`value` 1) or the higher one (0).
    """

    table: str
    name: str
    value: int
    seen: str = field(default="", compare=False)

    def apply(self, tables: BcastTables) -> BcastTables:
        """Return the tables with this in them."""
        match self.table:
            case "":
                old = getattr(tables, self.name)
                return replace(tables, **{self.name: type(old)(self.value)})
            case "rating":
                kept = [kind for kind in tables.lower_is_stricter if kind != int(self.name)]
                lower = sorted([*kept, int(self.name)] if self.value else kept)
                return replace(tables, lower_is_stricter=tuple(lower))
            case "spe":
                return replace(tables, spe=_renumbered(tables.spe, {int(self.name): self.value}))
            case "spe+":
                return replace(tables, spe=_copied(tables.spe, int(self.name), self.value))
            case table:
                changed: Any = {**getattr(tables, table), self.name: self.value}
                return replace(tables, **{table: changed})


Alternatives = tuple[Guess, ...]


def apply_all(guesses: Iterable[Guess], tables: BcastTables) -> BcastTables:
    """Return the tables with all guesses in them; policies change their numbers all at once."""
    guesses = tuple(guesses)
    numbers = {int(guess.name): guess.value for guess in guesses if guess.table == "spe"}
    tables = replace(tables, spe=_renumbered(tables.spe, numbers))
    for guess in guesses:
        if guess.table != "spe":
            tables = guess.apply(tables)
    return tables


def guess_tables(pairs: Sequence[Pair], tables: BcastTables) -> list[Alternatives]:
    """Return what might explain the differences between a card (A) and the emulator with these tables (B)."""
    found: dict[Alternatives, None] = {}
    differs = False
    known_modes = sorted(_modes_known(pairs) - set(tables.modes.values()))
    for index, pair in enumerate(pairs):
        if pair.is_allowed or pair.either.command[1:2] not in INSTRUCTIONS:
            continue
        a, b = _answer(pairs, index, "a"), _answer(pairs, index, "b")
        if a is None or b is None:
            continue
        differs = True
        seen = _in_short(f"{pair.step}: {title(pair)}")
        for group in (*_modes(a, b, tables, known_modes), *_results(a, b, tables), *_contents(a, b, tables)):
            if group:
                found.setdefault(tuple(replace(guess, seen=seen) for guess in group))
    if differs:
        why = "the exchanges fit better so"
        found.update({(Guess("", name, not getattr(tables, name), why),): None for name in SWITCHES})
        for kind in sorted(_rating_types(pairs, tables)):
            found[(Guess("rating", str(kind), kind not in tables.lower_is_stricter, why),)] = None
    return list(found)


def _rating_types(pairs: Sequence[Pair], tables: BcastTables) -> set[int]:
    """Return the types of rating that answers of either side speak of."""
    at = {tables.response_tags["parental_control"]: 1, tables.response_tags["parental_rating"]: 0}
    found: set[int] = set()
    for seen in (one for pair in pairs for one in (pair.a, pair.b) if one is not None):
        for outer in read_objects(seen.data):
            templates = (item for item in read_objects(outer.value) if item.tag == _TEMPLATE)
            inner = (item for template in templates for item in read_objects(template.value))
            found |= {item.value[at[item.tag]] for item in inner if item.tag in at and len(item.value) > at[item.tag]}
    return found


def _answer(pairs: Sequence[Pair], index: int, side: str) -> Observation | None:
    """Return the answer to a command on one side: where the card announced it, what was fetched next."""
    seen: Observation | None = getattr(pairs[index], side)
    if seen is None or seen.sw not in _ANNOUNCED or seen.data or index + 1 == len(pairs):
        return seen
    fetched: Observation | None = getattr(pairs[index + 1], side)
    is_fetch = fetched is not None and fetched.command[2:3] == _FETCH and fetched.command[1] == seen.command[1]
    return fetched if is_fetch else seen


def _modes_known(pairs: Sequence[Pair]) -> set[int]:
    """Return the modes of the OMA BCAST command that the card did not refuse as such."""
    sent = (pair.a for pair in pairs if pair.a is not None and pair.a.command[1:2] == INSTRUCTIONS[0])
    return {seen.command[3] for seen in sent if seen.sw not in (SW.WRONG_P1_P2, SW.INS_NOT_SUPPORTED, None)}


def _modes(a: Observation, b: Observation, tables: BcastTables, known: Sequence[int]) -> Iterator[Alternatives]:
    if b.command[1] != INS.OMA_BCAST or (a.sw == SW.WRONG_P1_P2) == (b.sw == SW.WRONG_P1_P2):
        return
    mode, names = b.command[3], [name for name in tables.modes if name not in _DELETIONS]
    if b.sw == SW.WRONG_P1_P2:
        yield tuple(Guess("modes", name, mode) for name in names)
    else:
        yield tuple(Guess("modes", name, other) for name in names if tables.modes[name] == mode for other in known)


# --- results


def _results(a: Observation, b: Observation, tables: BcastTables) -> Iterator[Alternatives]:
    wanted, given = result_of(a), result_of(b)
    done = tables.answers[Reason.DONE]
    if wanted is None or wanted in (given, done):
        return
    reasons = [reason for reason, answer in tables.answers.items() if _may_be(answer, given)]
    if wanted in tables.answers.values():
        reasons = [reason for reason in reasons if reason is not Reason.DONE]
    yield tuple(Guess("answers", reason, wanted) for reason in reasons)


def _may_be(answer: int, given: int | None) -> bool:
    return answer == given if given is not None else answer < 0x100


def result_of(seen: Observation) -> int | None:
    """Return the status byte in an answer, else the status word of a refusal; None where neither was seen."""
    for item in read_objects(seen.data):
        inner = read_objects(item.value) if item.tag != _TEMPLATE else [item]
        for template in inner:
            first = next(iter(read_objects(template.value)), None) if template.tag == _TEMPLATE else None
            if first is not None and len(first.value) == 1:
                return first.value[0]
    return seen.sw if seen.sw is not None and seen.sw not in (*_ANNOUNCED, SW.OK) and not seen.data else None


# --- data objects


def _contents(a: Observation, b: Observation, tables: BcastTables) -> Iterator[Alternatives]:
    yield from _in_objects(read_objects(a.data), read_objects(b.data), tables)


def _in_objects(wanted: Sequence[Tlv], given: Sequence[Tlv], tables: BcastTables) -> Iterator[Alternatives]:
    pairs = _matched(wanted, given)
    for one, other in pairs:
        if one.tag != other.tag:
            yield tuple(_tag_guesses(other.tag, one.tag, tables))
        if is_constructed(one) and is_constructed(other):
            yield from _in_objects(read_objects(one.value), read_objects(other.value), tables)
        elif one.value != other.value:
            yield from _values(other.tag, one.value, other.value, tables)
    for item in _without(given, [other for _, other in pairs]):
        yield tuple(Guess("response_tags", name, 0) for name, tag in tables.response_tags.items() if tag == item.tag)
        if _is_unsupported(item, tables):  # here, not on the card: it may work like any policy that we know
            yield tuple(Guess("spe+", str(row.value), item.value[0]) for row in tables.spe)
    for item in _without(wanted, [one for one, _ in pairs]):
        if _is_unsupported(item, tables):
            yield (Guess("spe", str(item.value[0]), -1),)


def _is_unsupported(item: Tlv, tables: BcastTables) -> bool:
    return item.tag == tables.response_tags["spe_not_supported"] and len(item.value) == 1


def _without(items: Sequence[Tlv], taken: Sequence[Tlv]) -> list[Tlv]:
    return [item for item in items if item not in taken]


def _matched(wanted: Sequence[Tlv], given: Sequence[Tlv]) -> list[tuple[Tlv, Tlv]]:
    """Return which objects stand for the same: by place where all lengths agree; else by tag, by value, by length."""
    if [len(item.value) for item in wanted] == [len(item.value) for item in given]:
        return list(zip(wanted, given, strict=True))
    pairs: list[tuple[Tlv, Tlv]] = []
    for fits in (_same_tag, _same_value, _same_length):
        for other in _without(given, [found for _, found in pairs]):
            left = _without(wanted, [found for found, _ in pairs])
            pairs += [(one, other) for one in left if fits(one, other)][:1]
    return pairs


def _same_tag(one: Tlv, other: Tlv) -> bool:
    return one.tag == other.tag


def _same_value(one: Tlv, other: Tlv) -> bool:
    return one.value == other.value


def _same_length(one: Tlv, other: Tlv) -> bool:
    return len(one.value) == len(other.value)


def _tag_guesses(old: int, new: int, tables: BcastTables) -> Iterator[Guess]:
    for table in ("response_tags", "audit_tags"):
        yield from (Guess(table, name, new) for name, tag in getattr(tables, table).items() if tag == old)


def _values(tag: int, wanted: bytes, given: bytes, tables: BcastTables) -> Iterator[Alternatives]:
    """Yield what follows from another value of an object of ours; its length is the same."""
    if len(wanted) != len(given):
        return
    number, other = int.from_bytes(wanted, "big"), int.from_bytes(given, "big")
    if tag == tables.audit_tags["spe"]:
        yield (Guess("spe", str(other), number),)
    elif tag == tables.audit_tags["properties"]:
        yield tuple(Guess("properties", name, number) for name, mask in tables.properties.items() if mask == other)
    elif tag == tables.audit_tags["available"]:
        larger = number - other
        yield tuple(Guess("capacity", name, room + larger) for name, room in tables.capacity.items())
    elif tag == tables.response_tags["parental_control"] and wanted[:1] != given[:1]:
        yield (Guess("", "pin_reference", wanted[0]),)


def read_objects(data: bytes) -> list[Tlv]:
    """Return the data objects that fill the data; none where they do not."""
    try:
        return list(iter_tlvs(data))
    except DecodeError:
        return []


def is_constructed(item: Tlv) -> bool:
    """Tell whether an object consists of objects."""
    first = item.tag if item.tag < 0x100 else item.tag >> 8
    return bool(first & _CONSTRUCTED)


# --- policies


def _renumbered(rows: Sequence[SpeRow], numbers: dict[int, int]) -> tuple[SpeRow, ...]:
    changed = (replace(row, value=numbers.get(row.value, row.value)) for row in rows)
    return tuple(row for row in changed if row.value >= 0)


def _copied(rows: Sequence[SpeRow], old: int, new: int) -> tuple[SpeRow, ...]:
    like = next(row for row in rows if row.value == old)
    return (*rows, replace(like, value=new))


def _in_short(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= _LONGEST_REASON else shown[: _LONGEST_REASON - 1] + "…"
