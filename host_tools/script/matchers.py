"""Judges an answer by what was expected of it, and takes captures out of it."""

from __future__ import annotations

from collections.abc import Iterator

from card.spec.status import describe
from host_tools.apdu.response import Response
from host_tools.script.errors import ExpressionError
from host_tools.script.model import ABSENT, PRESENT, Capture, Expectation
from host_tools.script.pattern import Pattern, SwPattern
from host_tools.script.results import Aspect, Difference
from host_tools.script.values import Scope, Value
from host_tools.trace.decode import object_name
from host_tools.trace.tlv import TlvItem, find_item, walk_tlvs

_SHOWN = 24


def judge(response: Response, expect: Expectation, scope: Scope, *, secret: bool) -> tuple[Difference, ...]:
    """Return what is not as expected, the most telling first. `secret`: show none of the data.

    When the status word is wrong, nothing else is looked at. Raises `ExpressionError`.
    """
    if not expect.sw.fits(response.sw):
        return (Difference(Aspect.SW, _sw_words(expect.sw), describe(response.sw)),)
    return tuple(_judge_data(response.data, expect, scope, secret))


def _judge_data(data: bytes, expect: Expectation, scope: Scope, secret: bool) -> Iterator[Difference]:
    if expect.length is not None and len(data) not in expect.length:
        yield Difference(Aspect.LENGTH, _range_words(expect.length), f"{len(data)} bytes")
    if expect.data is not None:
        yield from _judge_pattern(Aspect.DATA, "", expect.data, data, scope, secret)
    if expect.not_data is not None and expect.not_data.match(data, scope) is None:
        yield Difference(Aspect.DATA, "something else", "what must not come")
    if expect.tlv:
        yield from _judge_tlv(data, expect, scope, secret)


def _judge_tlv(data: bytes, expect: Expectation, scope: Scope, secret: bool) -> Iterator[Difference]:
    items = {item.path: item for item in walk_tlvs(data, padded=True)}
    for path, wanted in expect.tlv.items():
        item = items.get(path)
        shown = _path_words(path)
        if wanted == ABSENT:
            if item is not None:
                yield Difference(Aspect.TLV, "no such object", "one", shown)
        elif item is None:
            yield Difference(Aspect.TLV, "the object", "no TLV data" if not items else "none", shown)
        elif isinstance(wanted, Pattern):
            yield from _judge_pattern(Aspect.TLV, shown, wanted, data[item.start : item.end], scope, secret)
        elif wanted != PRESENT:
            raise ExpressionError(f"{wanted!r} is no expectation")


def _judge_pattern(
    aspect: Aspect, path: str, pattern: Pattern, data: bytes, scope: Scope, secret: bool
) -> Iterator[Difference]:
    mismatch = pattern.match(data, scope)
    if mismatch is None:
        return
    at = mismatch.offset
    hide = secret or any(scope.get(name).secret for name in pattern.names)
    got = "the end" if at >= len(data) else "another value" if hide else data[at : at + _SHOWN].hex().upper()
    wanted = "another value" if hide else mismatch.wanted
    where = path or _inside(walk_tlvs(data, padded=True), at)
    yield Difference(aspect, f"at byte {at} {wanted}", f"{got} ({len(data)} bytes in all)", where)


def _inside(items: list[TlvItem], at: int) -> str:
    item = find_item(items, at)
    return "" if item is None else f"in {_path_words(item.path)}"


def _path_words(path: str) -> str:
    name = object_name(path)
    return f"{path} ({name})" if name else path


def _sw_words(pattern: SwPattern) -> str:
    words = [describe(int(word, 16)) if "X" not in word else word for word in pattern.alternatives]
    return " or ".join(words)


def _range_words(length: range) -> str:
    return f"{length[0]} bytes" if len(length) == 1 else f"{length[0]} to {length[-1]} bytes"


def take(capture: Capture, response: Response, *, secret: bool) -> Value:
    """Return what a capture keeps. Raises `ExpressionError` when the answer has no such part."""
    match capture.source:
        case "sw":
            whole = response.sw.to_bytes(2, "big")
        case "data":
            whole = response.data
        case _:
            item = next((item for item in walk_tlvs(response.data, padded=True) if item.path == capture.path), None)
            if item is None:
                raise ExpressionError(f"the answer has no object {capture.path} to capture as {capture.variable}")
            whole = response.data[item.start : item.end]
    if capture.end is not None and capture.end > len(whole):
        raise ExpressionError(f"the answer is too short to capture {capture.variable}: {len(whole)} bytes")
    return Value(whole[capture.start : capture.end], capture.secret or secret)
