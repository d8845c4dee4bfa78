"""Reads typed fields from a TOML table and collects what is wrong, each with field and allowed values."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from card.disk.toml_lines import Path, line_of, lines_of

_T = TypeVar("_T")
_LONGEST_SHOWN = 40


class Problems:
    """What is wrong with one file, field by field."""

    _MOST_LISTED = 20

    def __init__(self) -> None:
        self._found: list[tuple[str, str]] = []

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, field: str, complaint: str) -> None:
        """Note one problem with a field (its dotted name)."""
        self._found.append((field, complaint))

    def text(self, name: str, source: str) -> str:
        """Return the problems in the order of their lines, at most 20; `source` is the text of the file `name`."""
        lines = lines_of(source)
        placed = sorted((line_of(lines, _path(field)), f"{field}: {complaint}") for field, complaint in self._found)
        listed = "\n".join(f"  {name}:{line}: {text}" for line, text in placed[: self._MOST_LISTED])
        more = len(placed) - self._MOST_LISTED
        return f"{listed}\n  and {more} more" if more > 0 else listed


class TomlTable:
    """One table of a file. Each reader returns the value or, after noting a problem, its `default`."""

    def __init__(self, data: Mapping[str, object], name: str, problems: Problems) -> None:
        """Take the table from `tomllib`, its dotted name (empty for the file itself), the list to add to."""
        self._data = data
        self._name = name
        self._problems = problems
        self._asked: set[str] = set()

    def text(self, key: str, pattern: str, allowed: str, default: str | None = None) -> str:
        """Return text that matches `pattern` as a whole; `allowed` says so in words."""

        def check(value: object) -> str | None:
            return value if isinstance(value, str) and re.fullmatch(pattern, value) else None

        return self._read(key, check, allowed, default, "")

    def choice(self, key: str, options: Sequence[str], default: str | None = None) -> str:
        """Return one of `options`."""

        def check(value: object) -> str | None:
            return value if isinstance(value, str) and value in options else None

        return self._read(key, check, "one of " + ", ".join(options), default, options[0] if options else "")

    def whole(self, key: str, lowest: int, highest: int, default: int | None = None) -> int:
        """Return a whole number within limits."""

        def check(value: object) -> int | None:
            if isinstance(value, bool) or not isinstance(value, int):
                return None
            return value if lowest <= value <= highest else None

        return self._read(key, check, f"a whole number from {lowest} to {highest}", default, lowest)

    def optional_whole(self, key: str, lowest: int, highest: int) -> int | None:
        """Return a whole number within limits, `None` when the field is missing."""
        self._asked.add(key)
        return self.whole(key, lowest, highest) if key in self._data else None

    def __contains__(self, key: str) -> bool:
        return key in self._data

    def flag(self, key: str) -> bool:
        """Return true or false; false when the field is missing."""

        def check(value: object) -> bool | None:
            return value if isinstance(value, bool) else None

        return self._read(key, check, "true or false", False, False)

    def optional_seconds(self, key: str, lowest: float, highest: float) -> int | None:
        """Return a duration or moment as milliseconds, `None` when the field is missing."""
        self._asked.add(key)
        return self.seconds(key, lowest, highest) if key in self._data else None

    def seconds(self, key: str, lowest: float, highest: float, default: float | None = None) -> int:
        """Return a duration or moment, written in seconds, as milliseconds."""

        def check(value: object) -> float | None:
            if isinstance(value, bool) or not isinstance(value, int | float):
                return None
            return value if lowest <= value <= highest else None

        return round(1000 * self._read(key, check, f"seconds from {lowest:g} to {highest:g}", default, lowest))

    def moment(self, key: str) -> datetime:
        """Return a date and time with its zone."""

        def check(value: object) -> datetime | None:
            return value if isinstance(value, datetime) and value.tzinfo is not None else None

        fallback = datetime(2000, 1, 1, tzinfo=UTC)
        return self._read(key, check, "a date and time with zone, such as 2026-11-21T12:00:00Z", None, fallback)

    def table(self, key: str) -> TomlTable:
        """Return the table under `key`, an empty one when it is missing."""
        self._asked.add(key)
        value = self._data.get(key, {})
        if not isinstance(value, dict):
            self._problems.add(self._full(key), f"a table [{self._full(key)}] is wanted")
            value = {}
        return TomlTable(value, self._full(key), self._problems)

    def tables(self, key: str, most: int) -> Iterator[TomlTable]:
        """Yield the tables of an array `[[key]]`, at most `most`."""
        self._asked.add(key)
        value = self._data.get(key, [])
        if not isinstance(value, list) or len(value) > most or not all(isinstance(item, dict) for item in value):
            self._problems.add(self._full(key), f"an array of at most {most} tables [[{self._full(key)}]] is wanted")
            return
        for index, item in enumerate(value, 1):
            yield TomlTable(item, f"{self._full(key)}[{index}]", self._problems)

    def complain(self, key: str, complaint: str) -> None:
        """Note a problem with a field of this table that only its reader can see."""
        self._problems.add(self._full(key), complaint)

    def finish(self) -> None:
        """Note every field that nothing asked for."""
        for key in sorted(self._data.keys() - self._asked):
            near = difflib.get_close_matches(key, self._asked, 1)
            hint = f"did you mean {near[0]}?" if near else "allowed are " + ", ".join(sorted(self._asked))
            self._problems.add(self._full(key[:_LONGEST_SHOWN]), f"is not a field of this table; {hint}")

    def _read(
        self, key: str, check: Callable[[object], _T | None], allowed: str, default: _T | None, fallback: _T
    ) -> _T:
        self._asked.add(key)
        if key not in self._data:
            if default is None:
                self._problems.add(self._full(key), f"is missing; {allowed} is wanted")
            return fallback if default is None else default
        value = self._data[key]
        found = check(value)
        if found is None:
            self._problems.add(self._full(key), f"{_shown(value)} is not allowed; {allowed} is wanted")
        return fallback if found is None else found

    def _full(self, key: str) -> str:
        return f"{self._name}.{key}" if self._name else key


def _path(field: str) -> Path:
    """Return the path of a field by its dotted name, in which elements of arrays are counted from 1."""
    path: list[str | int] = []
    for part in field.split("."):
        key, _, index = part.partition("[")
        path += [key, int(index[:-1]) - 1] if index[:-1].isdecimal() else [part]
    return tuple(path)


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str | int | float) else f"a {type(value).__name__}"
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"
