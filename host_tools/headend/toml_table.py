"""Reads typed fields from a table of a scenario and collects what is wrong, each with field and allowed values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from card.disk.toml_lines import Path
from card.tables import problems as noted
from card.tables import table as typed
from card.tables.kinds import FLAG, MOMENT, Kind, integer, matching, number, one_of
from card.tables.problems import MOST_LISTED, Places, dotted

_T = TypeVar("_T")
_LONGEST_SHOWN = 40


class Problems:
    """What is wrong with one file, field by field."""

    def __init__(self) -> None:
        self.noted = noted.Problems()

    def __bool__(self) -> bool:
        return bool(self.noted)

    def add(self, field: str, complaint: str) -> None:
        """Note one problem with a field (its name with dots, without positions in lists)."""
        self.noted.add(tuple(field.split(".")), f"{field}: {complaint}")

    def text(self, name: str, source: str) -> str:
        """Return the problems in the order of their lines, at most 20; `source` is the text of the file `name`."""
        placed = self.noted.placed(Places(name, source))
        listed = "\n".join(f"  {problem}" for problem in placed[:MOST_LISTED])
        more = len(placed) - MOST_LISTED
        return f"{listed}\n  and {more} more" if more > 0 else listed


class _Wording:
    """The words of `card.tables.table.Wording` for scenarios, whose fields are named by their whole path."""

    def refused(self, path: Path, value: object, kind: Kind[object], _error: ValueError) -> typed.Words:
        return f"{dotted(path)}: {_shown(value)} is not allowed; {kind.allowed} is wanted", ""

    def missing(self, path: Path, allowed: str) -> typed.Words:
        return f"{dotted(path)}: is missing; {allowed} is wanted", ""

    def unknown(self, path: Path, near: str, known: Sequence[str]) -> typed.Words:
        hint = f"did you mean {near}?" if near else "allowed are " + ", ".join(known)
        return f"{dotted(path)}: is not a field of this table; {hint}", ""

    def no_table(self, path: Path, _value: object) -> typed.Words:
        return f"{dotted(path)}: a table [{dotted(path)}] is wanted", ""


_WORDING = _Wording()


class TomlTable:
    """One table of a file. Each reader returns the value or, after noting a problem, its `default`."""

    def __init__(self, data: Mapping[str, object], path: Path | str, problems: Problems) -> None:
        """Take the table from `tomllib`, the path to it (empty for the file itself), the list to add to."""
        self._table = typed.Table(data, tuple(path), problems.noted, _WORDING)
        self._problems = problems
        self._asked: set[str] = set()

    def text(self, key: str, pattern: str, allowed: str, default: str | None = None) -> str:
        """Return text that matches `pattern` as a whole; `allowed` says so in words."""
        return self._read(key, matching(pattern, allowed), default, "")

    def choice(self, key: str, options: Sequence[str], default: str | None = None) -> str:
        """Return one of `options`."""
        return self._read(key, one_of(options), default, options[0] if options else "")

    def choices(self, key: str, options: Sequence[str], most: int) -> tuple[str, ...]:
        """Return a list of `options`, each once, at most `most`; an empty one when the field is missing."""
        self._asked.add(key)
        value = self._table.data.get(key, [])
        if not isinstance(value, list) or len(value) > most or not all(one in options for one in value):
            self.complain(key, f"a list of at most {most} of {', '.join(options)} is wanted")
            return ()
        return tuple(dict.fromkeys(value))

    def whole(self, key: str, lowest: int, highest: int, default: int | None = None) -> int:
        """Return a whole number within limits."""
        return self._read(key, integer(lowest, highest, f"a whole number from {lowest} to {highest}"), default, lowest)

    def optional_whole(self, key: str, lowest: int, highest: int) -> int | None:
        """Return a whole number within limits, `None` when the field is missing."""
        self._asked.add(key)
        return self.whole(key, lowest, highest) if key in self else None

    def __contains__(self, key: str) -> bool:
        return key in self._table

    def flag(self, key: str) -> bool:
        """Return true or false; false when the field is missing."""
        return self._read(key, FLAG, False, False)

    def optional_seconds(self, key: str, lowest: float, highest: float) -> int | None:
        """Return a duration or moment as milliseconds, `None` when the field is missing."""
        self._asked.add(key)
        return self.seconds(key, lowest, highest) if key in self else None

    def seconds(self, key: str, lowest: float, highest: float, default: float | None = None) -> int:
        """Return a duration or moment, written in seconds, as milliseconds."""
        kind = number(lowest, highest, f"seconds from {lowest:g} to {highest:g}")
        return round(1000 * self._read(key, kind, default, lowest))

    def moment(self, key: str) -> datetime:
        """Return a date and time with its zone."""
        return self._read(key, MOMENT, None, datetime(2000, 1, 1, tzinfo=UTC))

    def table(self, key: str) -> TomlTable:
        """Return the table under `key`, an empty one when it is missing."""
        self._asked.add(key)
        path = (*self._table.path, key)
        found = typed.Table.of(self._table.data.get(key, {}), path, self._problems.noted, _WORDING)
        return TomlTable(found.data if found else {}, path, self._problems)

    def tables(self, key: str, most: int) -> Iterator[TomlTable]:
        """Yield the tables of an array `[[key]]`, at most `most`."""
        self._asked.add(key)
        value = self._table.data.get(key, [])
        if not isinstance(value, list) or len(value) > most or not all(isinstance(item, dict) for item in value):
            self.complain(key, f"an array of at most {most} tables [[{dotted((*self._table.path, key))}]] is wanted")
            return
        for index, item in enumerate(value):
            yield TomlTable(item, (*self._table.path, key, index), self._problems)

    def complain(self, key: str, complaint: str) -> None:
        """Note a problem with a field of this table that only its reader can see."""
        path = (*self._table.path, key)
        self._problems.noted.add(path, f"{dotted(path)}: {complaint}")

    def finish(self) -> None:
        """Note every field that nothing asked for."""
        self._table.refuse_unknown(sorted(self._asked))

    def _read(self, key: str, kind: Kind[_T], default: _T | None, fallback: _T) -> _T:
        self._asked.add(key)
        if default is None:
            return self._table.require(key, kind, fallback)
        return self._table.read(key, kind, fallback) if key in self else default


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str | int | float) else f"a {type(value).__name__}"
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"
