"""Compares two traces exchange by exchange."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from card.codec.apdu import MAX_SHORT_LE, CommandApdu
from card.errors import DecodeError
from card.spec.status import describe
from host_tools.trace.decode import object_name
from host_tools.trace.events import TracedExchange, TraceEvent
from host_tools.trace.text import summary_line
from host_tools.trace.tlv import find_item, walk_tlvs

MOST_EXCHANGES = 100_000
"""Longer traces are compared up to here: both are held in memory."""
_HEADER = 4
_MOST_PAIRS = 4_000_000  # commands of one trace times those of the other, that a best match is looked for among


@dataclass(frozen=True, slots=True)
class TraceDifference:
    """One thing that differs; `left` or `right` is None where only the other trace has the exchange."""

    left: TracedExchange | None
    right: TracedExchange | None
    words: str


def diff_traces(left: Iterable[TraceEvent], right: Iterable[TraceEvent]) -> Iterator[TraceDifference]:
    """Yield what differs: commands that only one trace has, and commands or answers that are not the same.

    Time does not count. Commands with the same header in the same place are taken for one that was changed.
    """
    a, b = _exchanges(left), _exchanges(right)
    for is_equal, a_from, a_to, b_from, b_to in _align([e.command for e in a], [e.command for e in b]):
        if is_equal:
            pairs = zip(a[a_from:a_to], b[b_from:b_to], strict=True)
            yield from (found for one, other in pairs if (found := _compare(one, other)) is not None)
        else:
            yield from _compare_stretches(a[a_from:a_to], b[b_from:b_to])


def _compare_stretches(left: Sequence[TracedExchange], right: Sequence[TracedExchange]) -> Iterator[TraceDifference]:
    alone: list[TraceDifference] = []  # of the second trace, so that those of the first stand together
    for one, other in zip_longest(left, right):
        if one is not None and other is not None and one.command[:_HEADER] == other.command[:_HEADER]:
            yield from alone
            alone.clear()
            if (found := _compare(one, other)) is not None:
                yield found
            continue
        if one is not None:
            yield TraceDifference(one, None, "only in the first trace")
        if other is not None:
            alone.append(TraceDifference(None, other, "only in the second trace"))
    yield from alone


def _compare(left: TracedExchange, right: TracedExchange) -> TraceDifference | None:
    explained = explain_commands(left.command, right.command), explain_answers(left.response, right.response)
    words = "; ".join(filter(None, explained))
    return TraceDifference(left, right, words) if words else None


def _align(a: Sequence[bytes], b: Sequence[bytes]) -> Iterator[tuple[bool, int, int, int, int]]:
    """Yield stretches of both lists that are equal or not.

    What both begin and end with is set aside first. Where very much is left, it is compared place by place: the best
    match would take too long.
    """
    head = _common(a, b)
    tail = _common(a[head:][::-1], b[head:][::-1])
    a_end, b_end = len(a) - tail, len(b) - tail
    yield True, 0, head, 0, head
    if (a_end - head) * (b_end - head) > _MOST_PAIRS:
        for index in range(head, max(a_end, b_end)):
            one, other = min(index, a_end), min(index, b_end)
            ends = min(index + 1, a_end), min(index + 1, b_end)
            yield a[one : ends[0]] == b[other : ends[1]], one, ends[0], other, ends[1]
    else:
        matcher = difflib.SequenceMatcher(None, a[head:a_end], b[head:b_end], autojunk=False)
        for kind, *limits in matcher.get_opcodes():
            a_from, a_to, b_from, b_to = (head + limit for limit in limits)
            yield kind == "equal", a_from, a_to, b_from, b_to
    yield True, a_end, len(a), b_end, len(b)


def _common(a: Sequence[bytes], b: Sequence[bytes]) -> int:
    """Return how many elements both begin with."""
    pairs = enumerate(zip(a, b, strict=False))
    return next((index for index, (one, other) in pairs if one != other), min(len(a), len(b)))


def explain_commands(left: bytes, right: bytes) -> str:
    """Say in words how two command APDUs differ; empty when they do not."""
    if left == right:
        return ""
    try:
        one, other = CommandApdu.decode(left), CommandApdu.decode(right)
    except DecodeError:
        return f"command: {explain_data(left, right)}"
    data = explain_data(one.data, other.data)
    parts = [f"command data: {data}"] if data else []
    if one.le != other.le:
        parts.append(f"Le {_le(one)} against {_le(other)}")
    return "; ".join(parts) or f"command: {explain_data(left, right)}"


def _le(command: CommandApdu) -> str:
    """Return how many bytes a command asks for, as it stands in a short APDU (256 is 00)."""
    if command.le is None:
        return "none"
    return f"{command.le & 0xFF:02X}" if command.le <= MAX_SHORT_LE else f"{command.le & 0xFFFF:04X}"


def explain_answers(left: bytes, right: bytes) -> str:
    """Say in words how two answers (data and status word) differ; empty when they do not."""
    if left == right:
        return ""
    if left[-2:] != right[-2:]:
        return f"status word {_status(left)} against {_status(right)}"
    return explain_data(left[:-2], right[:-2])


def explain_data(left: bytes, right: bytes) -> str:
    """Say in words where two pieces of data first differ, naming the TLV object there; empty when they do not."""
    if left == right:
        return ""
    common = min(len(left), len(right))
    at = next((index for index in range(common) if left[index] != right[index]), common)
    place = _place(left, right, at)
    if at == common:
        return f"length {len(left)} against {len(right)} bytes, the same up to byte {at}{place}"
    return f"byte {at} is {left[at]:02X} against {right[at]:02X}{place}"


def difference_lines(difference: TraceDifference) -> Iterator[str]:
    """Yield the lines that show one difference."""
    mark = "-" if difference.right is None else "+" if difference.left is None else "!"
    shown = difference.left or difference.right
    if shown is not None:
        yield f"{mark} {summary_line(shown)}"
    if difference.left is not None and difference.right is not None:
        yield f"    #{difference.left.number} against #{difference.right.number}: {difference.words}"


def _exchanges(events: Iterable[TraceEvent]) -> Sequence[TracedExchange]:
    found = []
    for event in events:
        if isinstance(event, TracedExchange):
            found.append(event)
            if len(found) == MOST_EXCHANGES:
                break
    return found


def _status(response: bytes) -> str:
    return describe(int.from_bytes(response[-2:], "big")) if len(response) >= 2 else "none"


def _place(left: bytes, right: bytes, at: int) -> str:
    for data in (left, right):
        item = find_item(walk_tlvs(data, padded=True), at)
        if item is not None:
            name = object_name(item.path)
            return f", in tag {item.path}" + (f" ({name})" if name else "")
    return ""
