"""Says what was learned about OMA BCAST tables and how sure it is, as comments of a profile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from card.spec.ins import INS
from card.spec.status import SW
from host_tools.compare.model import Pair
from host_tools.compare.tables.guesses import INSTRUCTIONS, is_constructed, read_objects, result_of
from host_tools.compare.tables.learner import LearnedTables
from host_tools.trace.printable import printable

_MOST_SHOWN = 20
_LONGEST_STEP = 100
_DEEPEST = 8


def describe_learned(learned: LearnedTables) -> Iterator[str]:
    """Yield comments: how well the tables fit, what is unclear, what stays different, and what nothing showed."""
    last = learned.last
    count, left = len(last.pairs), len(last.different)
    yield f"# OMA BCAST: {count - left} of {count} commands are answered alike, by set {learned.base.name}"
    yield f"# with the overrides above, if any; {learned.trials} overrides were tried."
    yield "# It fits what was seen, and is no proof: two causes may show alike."
    if learned.without_keys:
        yield "# The emulator has other keys, so LTKMs, STKMs and audits after an authentication were left out;"
        yield "# give the card's keys with --subscriber to learn from them."
    if learned.ended_early:
        yield "# The search ended at its limit of trials."
    for chosen, *others in learned.equals:
        names = ", ".join(f"{guess.table}.{guess.name}" for guess in others)
        yield f"# {chosen.table}.{chosen.name} = 0x{chosen.value:02X} fits no better than the same value in: {names}"
    yield from (_still_different(pair) for pair in last.different[:_MOST_SHOWN])
    if left > _MOST_SHOWN:
        yield f"# and {left - _MOST_SHOWN} more"
    yield from _unseen(learned)


def _still_different(pair: Pair) -> str:
    kinds = sorted({found.kind.value for found in pair.differences if not found.allowed})
    return f"# stays different ({', '.join(kinds)}): {printable(pair.step)[:_LONGEST_STEP]}"


def _unseen(learned: LearnedTables) -> Iterator[str]:
    """Yield the rows that no answer alike on both sides shows: they stand as they ship and are not learned."""
    alike = [pair.b for pair in learned.last.pairs if pair.b is not None and pair.is_allowed]
    answers = [seen for seen in alike if seen.command[1:2] in INSTRUCTIONS]
    tables = learned.last.tables
    results = {result_of(seen) for seen in answers}
    tags = set(chain.from_iterable(_tags(seen.data) for seen in answers))
    modes = {seen.command[3] for seen in answers if seen.command[1] == INS.OMA_BCAST and seen.sw != SW.WRONG_P1_P2}
    policies = set(chain.from_iterable(_values(seen.data, tables.audit_tags["spe"]) for seen in answers))
    rows = {
        "answers": [name.value for name, answer in tables.answers.items() if answer not in results],
        "response_tags": [name for name, tag in tables.response_tags.items() if tag not in tags],
        "audit_tags": [name for name, tag in tables.audit_tags.items() if tag not in tags],
        "modes": [name for name, mode in tables.modes.items() if name.endswith("deletion") or mode not in modes],
        "spe": [f"0x{row.value:02X}" for row in tables.spe if bytes((row.value,)) not in policies],
    }
    for table, names in rows.items():
        if names:
            yield f"# not seen, so as it ships: {table}: {', '.join(names)}"
    yield "# never to be seen in answers: layouts, priorities of policies, limits that were not reached"


def _tags(data: bytes, depth: int = 0) -> Iterator[int]:
    for item in read_objects(data):
        yield item.tag
        if is_constructed(item) and depth < _DEEPEST:
            yield from _tags(item.value, depth + 1)


def _values(data: bytes, tag: int, depth: int = 0) -> Sequence[bytes]:
    """Return the values of every object with this tag."""
    found: list[bytes] = []
    for item in read_objects(data):
        if item.tag == tag:
            found.append(item.value)
        elif is_constructed(item) and depth < _DEEPEST:
            found += _values(item.value, tag, depth + 1)
    return found
