"""A comparison as JSON. Bytes are hex; secret ones are zeros, as in traces."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TextIO

from host_tools.compare.model import CommandTiming, Comparison, Difference, Observation, Pair, SideRun, Spread
from host_tools.compare.words import judgement, title, verdict


def write_json(comparison: Comparison, file: TextIO) -> None:
    """Write the whole comparison as one JSON object."""
    head = {
        "verdict": verdict(comparison),
        "allowed": comparison.is_allowed,
        "a": _side(comparison.a),
        "b": _side(comparison.b),
        "general": [_difference(found) for found in comparison.general],
        "timing": [_timing(row) for row in comparison.timing],
    }
    file.write(json.dumps(head, indent=1)[:-2] + ',\n "pairs": [')
    for index, text in enumerate(_pairs(comparison)):
        file.write(("," if index else "") + "\n  " + text)
    file.write("\n ]\n}\n")


def _pairs(comparison: Comparison) -> Iterator[str]:
    for number, pair in enumerate(comparison.pairs, 1):
        yield json.dumps(_pair(number, pair))


def _pair(number: int, pair: Pair) -> dict[str, object]:
    return {
        "number": number,
        "step": pair.step,
        "clause": pair.clause,
        "command": title(pair),
        "file": pair.either.shown.file,
        "judgement": judgement(pair),
        "outcomes": pair.outcomes,
        "a": _observed(pair.a),
        "b": _observed(pair.b),
        "differences": [_difference(found) for found in pair.differences],
    }


def _observed(seen: Observation | None) -> dict[str, object] | None:
    if seen is None:
        return None
    return {
        "command": seen.shown.command.hex(),
        "response": seen.shown.response.hex(),
        "hidden_command": seen.shown.hidden_command,
        "hidden_response": seen.shown.hidden_response,
        "seconds": round(seen.seconds, 7),
        "apdus": seen.wire,
        "error": seen.error,
    }


def _difference(found: Difference) -> dict[str, str]:
    return {"kind": found.kind.value, "where": found.where, "a": found.a, "b": found.b, "allowed": found.allowed}


def _side(side: SideRun) -> dict[str, str]:
    return {"reader": side.name, "atr": side.atr.hex(), "protocol": side.protocol, "trouble": side.trouble}


def _timing(row: CommandTiming) -> dict[str, object]:
    return {"command": row.command, "a": _spread(row.a), "b": _spread(row.b)}


def _spread(spread: Spread | None) -> dict[str, float] | None:
    if spread is None:
        return None
    names = ("least", "lower", "median", "upper", "p95", "most")
    return {"count": spread.count, **{name: round(getattr(spread, name), 7) for name in names}}
