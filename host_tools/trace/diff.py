"""Compares two traces exchange by exchange, however long they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from card.codec.apdu import MAX_SHORT_LE, CommandApdu
from card.errors import DecodeError
from card.spec.status import describe
from host_tools.trace.align import align
from host_tools.trace.decode import object_name
from host_tools.trace.events import TracedExchange, TraceEvent
from host_tools.trace.text import summary_line
from host_tools.trace.tlv import find_item, walk_tlvs

_HEADER = 4


@dataclass(frozen=True, slots=True)
class TraceDifference:
    """One thing that differs; `left` or `right` is None where only the other trace has the exchange."""

    left: TracedExchange | None
    right: TracedExchange | None
    words: str


def diff_traces(left: Iterable[TraceEvent], right: Iterable[TraceEvent]) -> Iterator[TraceDifference]:
    """Yield what differs: commands that only one trace has, and commands or answers that are not the same.

    Time does not count. Commands with the same header in the same place are taken for one that was changed. Memory use
    does not grow with the length of the traces.
    """
    for stretch in align(_exchanges(left), _exchanges(right), lambda exchange: exchange.command):
        if stretch.is_equal:
            pairs = zip(stretch.left, stretch.right, strict=True)
            yield from (found for one, other in pairs if (found := _compare(one, other)) is not None)
        else:
            yield from _compare_stretches(stretch.left, stretch.right)


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


def _exchanges(events: Iterable[TraceEvent]) -> Iterator[TracedExchange]:
    return (event for event in events if isinstance(event, TracedExchange))


def _status(response: bytes) -> str:
    return describe(int.from_bytes(response[-2:], "big")) if len(response) >= 2 else "none"


def _place(left: bytes, right: bytes, at: int) -> str:
    for data in (left, right):
        item = find_item(walk_tlvs(data, padded=True), at)
        if item is not None:
            name = object_name(item.path)
            return f", in tag {item.path}" + (f" ({name})" if name else "")
    return ""
