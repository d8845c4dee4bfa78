"""Reads subscribers from a file, CSV or TOML (docs/user/scenarios.md). It makes the port `Subscribers` in memory.

Every mistake is told with file, line and field. Keys are not shown, neither right nor wrong ones.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from card.disk.kinds import SUBSCRIBERS
from card.disk.reading import read_text
from card.disk.toml import NotToml, parse_toml
from card.disk.toml_lines import line_of, lines_of
from card.errors import UnusableFile
from host_tools.headend.errors import HeadendError
from host_tools.headend.subscribers.fields import check_names, read_subscriber, shown_name
from host_tools.headend.subscribers.memory import MemorySubscribers
from host_tools.headend.subscribers.record import SubscriberRecord
from host_tools.headend.subscribers.rk_subscriber import RkSubscriber

_TABLE = "subscriber"
_MOST_LISTED = 20
_MOST_TOML = 10_000


class SubscribersError(HeadendError):
    """A file of subscribers is wrong. The message has a line for each mistake, 20 at most."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """One subscriber as it stands in the file: its fields, and the line of each, by default that of the entry."""

    fields: Mapping[str, str]
    first_line: int
    lines: Mapping[str, int] = field(default_factory=dict)

    def line(self, name: str) -> int:
        return self.lines.get(name, self.first_line)


class _Mistakes:
    """What is wrong, with its lines; more than are listed are counted only."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._listed: list[str] = []
        self._count = 0

    def add(self, line: int, field: str, words: str) -> None:
        self._count += 1
        if len(self._listed) < _MOST_LISTED:
            self._listed.append(f"  {self._name}:{line}: {field + ': ' if field else ''}{words}")

    def add_to(self, entry: _Entry, field: str, words: str) -> None:
        self.add(entry.line(field), field, words)

    def __bool__(self) -> bool:
        return self._count > 0

    def raise_any(self) -> None:
        if self._count:
            more = self._count - len(self._listed)
            tail = f"\n  and {more} more" if more else ""
            listed = "\n".join(self._listed)
            raise SubscribersError(f"{self._name} is not a file of subscribers that can be used:\n{listed}{tail}")


def load_subscribers(path: Path) -> MemorySubscribers:
    """Return the subscribers of a file whose name ends in .csv or .toml. Raises `SubscribersError`."""
    return _in_memory(load_records(path))


def load_records(path: Path) -> tuple[SubscriberRecord | RkSubscriber, ...]:
    """Return what a file whose name ends in .csv or .toml says of each subscriber. Raises `SubscribersError`."""
    _reader_of(str(path))
    try:
        return parse_records(read_text(path, SUBSCRIBERS), str(path))
    except UnusableFile as error:
        raise SubscribersError(str(error)) from None


def parse_subscribers(text: str, name: str) -> MemorySubscribers:
    """Return the subscribers of a text; `name`, which says how it is written, stands in messages.

    Raises `SubscribersError`.
    """
    return _in_memory(parse_records(text, name))


def parse_records(text: str, name: str) -> tuple[SubscriberRecord | RkSubscriber, ...]:
    """Return what a text says of each subscriber; `name`, which says how it is written, stands in messages.

    Raises `SubscribersError`.
    """
    mistakes = _Mistakes(name)
    found, seen = list[SubscriberRecord | RkSubscriber](), dict[tuple[str, str], int]()
    entries = 0
    for entry in _reader_of(name)(text, mistakes):
        entries += 1
        _take(entry, found, seen, mistakes)
    if not entries and not mistakes:
        mistakes.add(1, "", f"no subscriber is in it; a line, or a table [[{_TABLE}]], for each is wanted")
    mistakes.raise_any()
    return tuple(found)


def _in_memory(records: tuple[SubscriberRecord | RkSubscriber, ...]) -> MemorySubscribers:
    try:
        return MemorySubscribers(
            [one.made() for one in records if isinstance(one, SubscriberRecord)],
            [one for one in records if isinstance(one, RkSubscriber)],
        )
    except HeadendError as error:
        raise SubscribersError(str(error)) from None


def _take(
    entry: _Entry,
    into: list[SubscriberRecord | RkSubscriber],
    seen: dict[tuple[str, str], int],
    mistakes: _Mistakes,
) -> None:
    """Add the subscriber of an entry, unless something is wrong with it."""
    made = read_subscriber(entry.fields, partial(mistakes.add_to, entry))
    if made is None:
        return
    names = {"imsi": made.imsi, "impi": made.impi} if isinstance(made, SubscriberRecord) else {"nai": made.nai}
    for name, value in names.items():
        if (name, value) in seen:
            mistakes.add(entry.line(name), name, f"{value} is that of line {seen[name, value]} already")
            return
        seen[name, value] = entry.line(name)
    into.append(made)


def _from_csv(text: str, mistakes: _Mistakes) -> Iterator[_Entry]:
    """Yield the lines of a CSV text whose first line has the names of the fields."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        check_names(header, lambda field, words: mistakes.add(1, field, words))
        for name in {name for name in header if header.count(name) > 1}:
            mistakes.add(1, shown_name(name), "stands twice in the first line")
        for cells in reader:
            line = reader.line_num
            if not any(cells):
                continue
            if len(cells) != len(header):
                mistakes.add(line, "", f"{len(cells)} fields, where the first line names {len(header)}")
                continue
            yield _Entry(dict(zip(header, map(str.strip, cells), strict=True)), line)
    except csv.Error as error:
        mistakes.add(reader.line_num, "", f"not CSV: {error}")


def _from_toml(text: str, mistakes: _Mistakes) -> Iterator[_Entry]:
    """Yield the tables [[subscriber]] of a TOML text."""
    try:
        root = parse_toml(text)
    except NotToml as error:
        mistakes.add(error.line, "", error.reason)
        return
    lines = lines_of(text)
    for name in root.keys() - {_TABLE}:
        mistakes.add(line_of(lines, (name,)), shown_name(name), f"is not allowed here; only [[{_TABLE}]] is")
    tables = root.get(_TABLE, [])
    if not isinstance(tables, list) or len(tables) > _MOST_TOML:
        mistakes.add(line_of(lines, (_TABLE,)), _TABLE, f"at most {_MOST_TOML} tables are wanted; for more, use CSV")
        return
    for index, table in enumerate(tables):
        first = line_of(lines, (_TABLE, index))
        if not isinstance(table, dict):
            mistakes.add(first, _TABLE, f"a table [[{_TABLE}]] is wanted")
            continue
        entry = _Entry(
            {name: _text(value) for name, value in table.items()},
            first,
            {name: line_of(lines, (_TABLE, index, name)) for name in table},
        )
        check_names(entry.fields, partial(mistakes.add_to, entry))
        yield entry


def _text(value: object) -> str:
    """Return a value of TOML as it would stand in CSV; of what is no single value, a text that no field allows."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int() if value.bit_length() <= 64:
            return str(value)
        case _:
            return f"<{type(value).__name__}>"


def _reader_of(name: str) -> Callable[[str, _Mistakes], Iterator[_Entry]]:
    reader = _READERS.get(Path(name).suffix)
    if reader is None:
        raise SubscribersError(f"{name}: the name of a file of subscribers ends in .csv or .toml")
    return reader


_READERS: Mapping[str, Callable[[str, _Mistakes], Iterator[_Entry]]] = {".csv": _from_csv, ".toml": _from_toml}
