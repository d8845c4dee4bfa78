"""Puts two runs side by side and judges what differs."""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from host_tools.compare.allow import Rules, TimingLimit
from host_tools.compare.classify import classify
from host_tools.compare.model import CommandTiming, Comparison, Difference, Kind, Observation, Pair, SideRun, Step
from host_tools.compare.timing import measure

ATR = "ATR"
PROTOCOL = "protocol"
_T = TypeVar("_T")
_MOST_ALIGNED = 2000  # finding the best match takes time by the square; longer middles stay apart


def compare_runs(a: SideRun, b: SideRun, rules: Rules) -> Comparison:
    """Return what two runs of the same scripts have in common and what not."""
    pairs = []
    for pair in align_runs(a.steps, b.steps):
        differences = tuple(rules.judge(found, pair) for found in classify(pair))
        pairs.append(replace(pair, differences=differences))
    timing = tuple(_judged(row, rules) for row in measure(pairs))
    general = tuple(rules.judge(found) for found in _general(a, b))
    return Comparison(a, b, tuple(pairs), timing, general)


def _general(a: SideRun, b: SideRun) -> Iterator[Difference]:
    if a.atr != b.atr:
        yield Difference(Kind.VALUE, ATR, a.atr.hex().upper() or "none", b.atr.hex().upper() or "none")
    if a.protocol != b.protocol:
        yield Difference(Kind.VALUE, PROTOCOL, a.protocol, b.protocol)


def _judged(row: CommandTiming, rules: Rules) -> CommandTiming:
    difference = _timing_difference(row, rules.timing)
    return row if difference is None else replace(row, difference=rules.judge(difference))


def _timing_difference(row: CommandTiming, limit: TimingLimit) -> Difference | None:
    if not limit.factor or row.a is None or row.b is None:
        return None
    slow, fast = max(row.a.median, row.b.median), min(row.a.median, row.b.median)
    if slow - fast < limit.floor or slow <= fast * limit.factor:
        return None
    return Difference(Kind.TIMING, row.command, _milliseconds(row.a.median), _milliseconds(row.b.median))


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms (median)"


def align_runs(a: Sequence[Step], b: Sequence[Step]) -> Iterator[Pair]:
    """Yield pairs in the order of the steps, still without differences. A command of one side alone has no partner."""
    for one, other in align(a, b, [step.name for step in a], [step.name for step in b]):
        step = one or other
        if step is None:
            continue
        seen_a = one.observed if one else ()
        seen_b = other.observed if other else ()
        outcomes = one.outcome if one else "", other.outcome if other else ""
        for left, right in align(seen_a, seen_b, _keys(seen_a), _keys(seen_b)):
            yield Pair(step.name, step.clause, left, right, outcomes=outcomes)


def align(
    a: Sequence[_T], b: Sequence[_T], a_keys: Sequence[Hashable], b_keys: Sequence[Hashable]
) -> Iterator[tuple[_T | None, _T | None]]:
    """Yield items with equal keys side by side, and the others alone, in order."""
    first = _common(a_keys, b_keys)
    last = _common(a_keys[first:][::-1], b_keys[first:][::-1])
    yield from zip(a[:first], b[:first], strict=True)
    middle_a, middle_b = slice(first, len(a) - last), slice(first, len(b) - last)
    yield from _align_middle(a[middle_a], b[middle_b], a_keys[middle_a], b_keys[middle_b])
    yield from zip(a[len(a) - last :], b[len(b) - last :], strict=True)


def _common(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """Return how many items at the beginning are the same."""
    for index, (one, other) in enumerate(zip(a, b, strict=False)):
        if one != other:
            return index
    return min(len(a), len(b))


def _align_middle(
    a: Sequence[_T], b: Sequence[_T], a_keys: Sequence[Hashable], b_keys: Sequence[Hashable]
) -> Iterator[tuple[_T | None, _T | None]]:
    if max(len(a), len(b)) > _MOST_ALIGNED:
        yield from ((one, None) for one in a)
        yield from ((None, other) for other in b)
        return
    matcher = difflib.SequenceMatcher(None, a_keys, b_keys, autojunk=False)
    for kind, a_from, a_to, b_from, b_to in matcher.get_opcodes():
        if kind == "equal":
            yield from zip(a[a_from:a_to], b[b_from:b_to], strict=True)
            continue
        yield from ((one, None) for one in a[a_from:a_to])
        yield from ((None, other) for other in b[b_from:b_to])


def _keys(observed: Sequence[Observation]) -> list[bytes]:
    """Return class, instruction, P1 and P2 of each command; its data may hold what the card answered before."""
    return [seen.command[:4] for seen in observed]
