"""Picks events of a trace by simple terms, such as `ins=88`, `sw!=9000`, `file=EF_IMSI`, `channel=1`, `ms>5`."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping

from card.codec.apdu import channel_of
from host_tools.trace.commands import command_name
from host_tools.trace.events import CardEvent, TracedExchange, TraceEvent
from host_tools.trace.text import summary_line

Predicate = Callable[[TraceEvent], bool]
_TERM = re.compile(r"(?P<field>[a-z]+)(?P<sign>!=|>=|<=|=|>|<)(?P<value>.+)")
_ORDER: Mapping[str, Callable[[float, float], bool]] = {
    "=": operator.eq, "!=": operator.ne, ">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le,
}  # fmt: skip


class FilterError(Exception):
    """A filter term cannot be understood. The message says what can."""


def parse_filter(terms: Iterable[str]) -> Predicate:
    """Return a test that all terms pass. Raises `FilterError`."""
    predicates = [_parse_term(term) for term in terms]
    return lambda event: all(predicate(event) for predicate in predicates)


def _parse_term(term: str) -> Predicate:
    match = _TERM.fullmatch(term.strip())
    if match is None:
        raise FilterError(f"{term!r}: a term is FIELD=VALUE; fields: {', '.join(_FIELDS)}")
    field, sign, value = match["field"], match["sign"], match["value"]
    if field not in _FIELDS:
        raise FilterError(f"{term!r}: there is no field {field!r}; fields: {', '.join(_FIELDS)}")
    if field in _NUMBERS:
        return _number_term(_NUMBERS[field], sign, value, term)
    if sign not in ("=", "!="):
        raise FilterError(f"{term!r}: {field} is compared with = or != only")
    return _text_term(_TEXTS[field], sign == "=", value)


def _number_term(read: Callable[[TracedExchange], float], sign: str, value: str, term: str) -> Predicate:
    try:
        wanted = float(value)
    except ValueError:
        raise FilterError(f"{term!r}: {value!r} is no number") from None
    compare = _ORDER[sign]
    return lambda event: isinstance(event, TracedExchange) and compare(read(event), wanted)


def _text_term(read: Callable[[TraceEvent], str | None], equal: bool, value: str) -> Predicate:
    pattern = re.compile(re.escape(value).replace("X", "[0-9A-F]") if read is _sw else re.escape(value), re.IGNORECASE)
    return lambda event: (found := read(event)) is not None and bool(pattern.search(found)) is equal


def _sw(event: TraceEvent) -> str | None:
    if isinstance(event, CardEvent):
        return None  # no exchange, so neither equal nor different
    return "" if event.sw is None else f"{event.sw:04X}"


def _ins(event: TraceEvent) -> str | None:
    if isinstance(event, CardEvent):
        return None
    if len(event.command) < 2:
        return ""
    return f"{event.command[1]:02X} {command_name(event.command[1])}"


def _text(event: TraceEvent) -> str:
    return event.what if isinstance(event, CardEvent) else summary_line(event)


_TEXTS: Mapping[str, Callable[[TraceEvent], str | None]] = {
    "sw": _sw,
    "ins": _ins,
    "file": lambda event: None if isinstance(event, CardEvent) else event.file,
    "link": lambda event: event.link,
    "text": _text,
}
_NUMBERS: Mapping[str, Callable[[TracedExchange], float]] = {
    "ms": lambda event: event.seconds * 1000 or math.nan,  # not known: neither more nor less than anything
    "channel": lambda event: channel_of(event.command[0]) if event.command else 0,
    "number": lambda event: event.number,
}
_FIELDS = (*_TEXTS, *_NUMBERS)
