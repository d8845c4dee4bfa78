"""Says in what ways two answers to the same command differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from card.codec.redaction import Span
from card.spec.status import describe
from host_tools.compare.model import Difference, Kind, Observation, Pair
from host_tools.trace.decode import object_name, show_bytes
from host_tools.trace.tlv import TlvItem, walk_tlvs

COMMAND = "command"
_NO_COMMAND = "not sent"
_HIDDEN = "not shown"
_SHOWN_BYTES = 24


def classify(pair: Pair) -> Iterator[Difference]:
    """Yield every difference between the two sides of a pair. Secrets are compared and not shown."""
    a, b = pair.a, pair.b
    if a is None or b is None:
        yield Difference(Kind.ORDER, "", _presence(a), _presence(b))
        return
    if a.command != b.command:
        yield Difference(Kind.VALUE, COMMAND, _command(a), _command(b))
    if a.sw is None or b.sw is None:
        if _outcome(a) != _outcome(b):
            yield Difference(Kind.LINK, "", _outcome(a), _outcome(b))
        return
    if a.sw != b.sw:
        yield Difference(Kind.SW, "", describe(a.sw), describe(b.sw))
    if a.data != b.data and (a.sw == b.sw or (a.data and b.data)):
        yield from _data(a, b)


def _data(a: Observation, b: Observation) -> Iterator[Difference]:
    items_a, items_b = walk_tlvs(a.data, padded=True), walk_tlvs(b.data, padded=True)
    if items_a and items_b and items_a[0].tag == items_b[0].tag:
        yield from _objects(a, b, items_a, items_b)
    elif len(a.data) != len(b.data):
        yield Difference(Kind.LENGTH, "", _whole(a), _whole(b))
    else:
        for start, end in _different_bytes(a.data, b.data):
            yield Difference(Kind.VALUE, f"{start}-{end - 1}", _bytes(a, start, end), _bytes(b, start, end))


def _objects(
    a: Observation, b: Observation, items_a: Sequence[TlvItem], items_b: Sequence[TlvItem]
) -> Iterator[Difference]:
    by_path_a = {item.path: item for item in items_a}
    by_path_b = {item.path: item for item in items_b}
    found = False
    for path in dict.fromkeys((*by_path_a, *by_path_b)):
        item_a, item_b = by_path_a.get(path), by_path_b.get(path)
        if item_a is None or item_b is None:
            parent = path.rpartition("/")[0]
            if not parent or (parent in by_path_a and parent in by_path_b):
                found = True
                yield Difference(Kind.TLV, path, _object(a, item_a), _object(b, item_b))
            continue
        difference = _value(a, b, item_a, item_b)
        if difference is not None:
            found = True
            yield difference
    if not found:
        yield _order_or_coding(a, b, list(by_path_a), list(by_path_b))


def _value(a: Observation, b: Observation, item_a: TlvItem, item_b: TlvItem) -> Difference | None:
    if item_a.children and item_b.children:
        return None
    value_a, value_b = a.data[item_a.start : item_a.end], b.data[item_b.start : item_b.end]
    if value_a == value_b:
        return None
    kind = Kind.VALUE if len(value_a) == len(value_b) else Kind.LENGTH
    return Difference(kind, item_a.path, _object(a, item_a), _object(b, item_b))


def _order_or_coding(a: Observation, b: Observation, paths_a: list[str], paths_b: list[str]) -> Difference:
    """The same objects with the same values in different bytes: in another order, or with other length fields."""
    if paths_a != paths_b:
        return Difference(Kind.ORDER, "", " ".join(paths_a), " ".join(paths_b))
    return Difference(Kind.LENGTH, "", f"coded in {len(a.data)} bytes", f"coded in {len(b.data)} bytes")


def _different_bytes(a: bytes, b: bytes) -> Iterator[Span]:
    """Yield runs of bytes that differ in data of the same length."""
    start: int | None = None
    for index, (one, other) in enumerate(zip(a, b, strict=True)):
        if one != other and start is None:
            start = index
        elif one == other and start is not None:
            yield start, index
            start = None
    if start is not None:
        yield start, len(a)


def _object(side: Observation, item: TlvItem | None) -> str:
    if item is None:
        return "no such object"
    name = object_name(item.path)
    return f"{f'{name} ' if name else ''}{_bytes(side, item.start, item.end)}"


def _bytes(side: Observation, start: int, end: int) -> str:
    if any(first < end and behind > start for first, behind in side.shown.hidden_response):
        return f"[{end - start}] {_HIDDEN}"
    return show_bytes(side.data[start:end], _SHOWN_BYTES)


def _whole(side: Observation) -> str:
    return _bytes(side, 0, len(side.data)) if side.data else "no data"


def _command(side: Observation) -> str:
    if side.shown.hidden_command:
        return f"[{len(side.command)}] {_HIDDEN}"
    return show_bytes(side.command, _SHOWN_BYTES)


def _outcome(side: Observation) -> str:
    if side.error:
        return side.error
    return "an answer without status word" if side.sw is None else describe(side.sw)


def _presence(side: Observation | None) -> str:
    return _NO_COMMAND if side is None else _command(side)
