"""What every report says about a comparison."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from card.spec.status import describe
from host_tools.compare.model import Comparison, Kind, Observation, Pair
from host_tools.trace.commands import describe_command
from host_tools.trace.decode import decode_exchange
from host_tools.trace.text import show_with_gaps

SAME, ALLOWED, DIFFERENT = "same", "allowed", "different"
MEANINGS: Mapping[Kind, str] = {
    Kind.SW: "the status word",
    Kind.LENGTH: "the length of the data, or of a data object",
    Kind.TLV: "a data object that only one side has",
    Kind.VALUE: "bytes: of a data object by its path, or by their place counted from 0",
    Kind.ORDER: "the order of objects, or a command that only one side was sent",
    Kind.TIMING: "the median time of a command, where a limit is set",
    Kind.LINK: "one side gave no whole answer",
}
"""What differs, by the kind of difference."""


def verdict(comparison: Comparison) -> str:
    """Return the result as one sentence."""
    counted = Counter(bool(found.allowed) for found in comparison.differences)
    troubles = [f"{side.name}: {side.trouble.rstrip('.')}." for side in (comparison.a, comparison.b) if side.trouble]
    if troubles:
        return "Not compared to the end. " + " ".join(troubles)
    if counted[False]:
        return f"{counted[False]} differences that are not allowed, and {counted[True]} that are."
    return f"Only allowed differences: {counted[True]}." if counted[True] else "No difference."


def judgement(pair: Pair) -> str:
    """Return SAME, ALLOWED or DIFFERENT."""
    if not pair.differences:
        return SAME
    return ALLOWED if pair.is_allowed else DIFFERENT


def counts(comparison: Comparison) -> Iterator[tuple[Kind, int, int]]:
    """Yield each kind with the number of differences that are not allowed, and of those that are."""
    found = Counter((item.kind, bool(item.allowed)) for item in comparison.differences)
    for kind in Kind:
        yield kind, found[kind, False], found[kind, True]


def outcome(seen: Observation | None) -> str:
    """Return the status word in words, or why there is none."""
    if seen is None:
        return "not sent"
    return seen.error or (describe(seen.sw) if seen.sw is not None else "an answer without status word")


def milliseconds(seen: Observation | None) -> str:
    """Return how long the command took."""
    return "" if seen is None else f"{seen.seconds * 1000:.2f} ms"


def title(pair: Pair) -> str:
    """Return the command in words."""
    return describe_command(pair.either.shown.command)


def step_words(pair: Pair) -> str:
    """Return the step's name, the clause it cites, and how it ended where the sides do not agree on that."""
    words = f"{pair.step} ({pair.clause})" if pair.clause else pair.step
    a, b = pair.outcomes
    return words if a == b else f"{words}; A: {a or 'not reached'}, B: {b or 'not reached'}"


def side_lines(seen: Observation | None) -> Iterator[str]:
    """Yield one side of an exchange: command, answer, and what is inside, without secrets."""
    if seen is None:
        yield "not sent"
        return
    shown = seen.shown
    yield f"> {show_with_gaps(shown.command, shown.hidden_command)}"
    if shown.response:
        yield f"< {show_with_gaps(shown.response, shown.hidden_response)}"
    for line in decode_exchange(shown):
        yield f"  {'  ' * line.depth}{line.text}"
    yield outcome(seen)
