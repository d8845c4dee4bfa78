"""Puts two runs side by side and judges what differs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from host_tools.compare.align import align_runs
from host_tools.compare.allow import Rules, TimingLimit
from host_tools.compare.classify import classify
from host_tools.compare.model import CommandTiming, Comparison, Difference, Kind, SideRun
from host_tools.compare.timing import measure

ATR = "ATR"
PROTOCOL = "protocol"


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
