"""Reads what a step in TOML says about the answer: how often it is asked for, what it must be, and what is kept."""

from __future__ import annotations

import re

from host_tools.script.errors import ExpressionError
from host_tools.script.model import ABSENT, PRESENT, Capture, Expectation, Until
from host_tools.script.pattern import OK, Pattern, SwPattern
from host_tools.script.toml.table import Table, check_name, parse_text

_LONGEST_ANSWER = 65_536  # bytes of data
_LENGTH = re.compile(r"(\d{1,5})(?:\.\.(\d{1,5}))?")
_CAPTURE = re.compile(r"(?P<source>data|sw|tlv:(?P<path>[0-9A-F/\[\]]+))(?:\[(?P<start>\d*):(?P<end>\d*)\])?")
_TLV_PATH = re.compile(r"[0-9A-F]{2,4}(\[[1-9]\d?\])?(/[0-9A-F]{2,4}(\[[1-9]\d?\])?)*")


def read_until(table: Table, most_rounds: int) -> Until | None:
    """Return how long a command is repeated; None when it is done once."""
    pattern = table.parse("until", SwPattern.parse)
    if "until" in table and "at_most" not in table:
        table.problems.add((*table.path, "until"), "this loop may never end", "say at_most = N")
    if "at_most" in table and "until" not in table:
        table.problems.add((*table.path, "at_most"), "at_most belongs to until")
    at_most = table.whole("at_most", 1, most_rounds, 1)
    return None if pattern is None else Until(pattern, at_most)


def read_expectation(table: Table, until: Until | None) -> Expectation:
    """Return what the answer must be; without `sw` the status word that ends the repetition."""
    words = [found for path, text in table.texts("sw")
             if (found := parse_text(table.problems, path, text, SwPattern.parse)) is not None]  # fmt: skip
    sw = SwPattern(" | ".join(word.text for word in words), tuple(a for word in words for a in word.alternatives))
    tlv: dict[str, Pattern | str] = {}
    for path, key, value in table.pairs("tlv"):
        if not _TLV_PATH.fullmatch(key):
            table.problems.add(path, f"{key[:40]!r} is no path of tags", 'such as "62/82" or "62/C6/83[2]"')
        elif value in (PRESENT, ABSENT):
            tlv[key] = str(value)
        elif (pattern := parse_text(table.problems, path, value, Pattern.parse)) is not None:
            tlv[key] = pattern
    default = until.sw if until else OK
    return Expectation(
        sw=sw if words else default,
        data=table.parse("data", Pattern.parse),
        not_data=table.parse("not_data", Pattern.parse),
        length=_length(table),
        tlv=tlv,
    )


def read_captures(table: Table) -> tuple[Capture, ...]:
    """Return what is kept of the answer."""
    secrets = {name for _, name in table.texts("secret")}
    captures = []
    for path, name, value in table.pairs("capture"):
        check_name(table.problems, path, name)
        match = _CAPTURE.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            table.problems.add(path, "a capture is data, sw or tlv:PATH", "with a part, if any, as in data[0:4]")
            continue
        source, limits = match["source"].partition(":")[0], (match["start"], match["end"])
        start, end = (int(limit) if limit else None for limit in limits)
        captures.append(Capture(name, source, match["path"] or "", start, end, name in secrets))
    for name in secrets - {capture.variable for capture in captures}:
        table.problems.add((*table.path, "secret"), f"{name[:40]!r} is not captured here")
    return tuple(captures)


def _length(table: Table) -> range | None:
    if "length" not in table:
        return None
    if isinstance(table.data["length"], str):
        return table.parse("length", _parse_length)
    size = table.whole("length", 0, _LONGEST_ANSWER)
    return range(size, size + 1)


def _parse_length(text: str) -> range:
    match = _LENGTH.fullmatch(text.strip())
    if match is None:
        raise ExpressionError(f"{text[:20]!r} is no length: a number, or two as in 5..54")
    first, last = int(match[1]), int(match[2] or match[1])
    if not first <= last <= _LONGEST_ANSWER:
        raise ExpressionError(f"{text.strip()} is no length: from the smaller to the larger, up to {_LONGEST_ANSWER}")
    return range(first, last + 1)
