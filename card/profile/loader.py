"""Reads a TOML text into the dataclasses of the schema and tells every problem with its line.

The loader knows nothing of cards: it walks the fields of a dataclass, each annotated with what it may hold
(`card/profile/fields.py`), and asks a table with rules across fields (`check`) whether they hold.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast, get_type_hints, runtime_checkable

from card.disk.kinds import PROFILE
from card.disk.reading import read_text
from card.disk.toml import NotToml, parse_toml
from card.disk.toml_lines import Path
from card.errors import ProfileError, UnusableFile
from card.profile.fields import ListOf, MapOf, ReservedName, Spec, Table
from card.tables import table as typed
from card.tables.kinds import Kind, RefusedError
from card.tables.problems import MOST_LISTED, Places, Problems, describe, dotted

T = TypeVar("T")

_WRONG = object()  # stands for a value whose problem has been noted


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule across the fields of one table does not hold.

    `path` leads from the table to the field to mend, `text` says why.
    """

    path: Path
    text: str


@runtime_checkable
class RuledTable(Protocol):
    """A table with rules across its fields."""

    def check(self) -> Iterable[Fault]:
        """Yield what is wrong."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One field of a table: its key, what it may hold, and whether it must be there."""

    key: str
    spec: Spec
    required: bool


def entries(shape: type[object]) -> tuple[Entry, ...]:
    """Return the fields of a schema dataclass in their order."""
    hints = get_type_hints(shape, include_extras=True)
    return tuple(
        Entry(field.name, hints[field.name].__metadata__[0], field.default is dataclasses.MISSING)
        for field in dataclasses.fields(shape)  # type: ignore[arg-type]
    )


def load(path: str | os.PathLike[str], shape: type[T]) -> T:
    """Read the file at `path` into the dataclass `shape`. Raises `ProfileError`."""
    try:
        text = read_text(path, PROFILE)
    except UnusableFile as error:
        reason = str(error)
    else:
        return parse(text, os.fspath(path), shape)
    raise ProfileError(reason)  # outside, so that nothing is chained that could show what the message leaves out


def parse(text: str, name: str, shape: type[T]) -> T:
    """Read TOML text into the dataclass `shape`; `name` is the file name for messages.

    Raises `ProfileError` with every problem found (at most 20), one per line: file, line, field, what was
    found and what is allowed.
    """
    if PROFILE.most is not None and len(text) > PROFILE.most:
        raise ProfileError(f"{name}: larger than {PROFILE.most} bytes, the most a profile may have")
    text = text.replace("\r\n", "\n")
    problems = Problems(MOST_LISTED)
    value = _Builder(problems).table(shape, _parse_toml(text, name), ())
    if problems:
        raise _to_error(problems, name, text)
    return cast(T, value)


def _to_error(problems: Problems, name: str, text: str) -> ProfileError:
    """Return the error that tells all problems in the order of their lines."""
    lines = [str(problem) for problem in problems.placed(Places(name, text))]
    if problems.is_full:
        lines.append(f"{name}: stopped after {MOST_LISTED} problems; there may be more")
    return ProfileError("\n".join(lines))


def _parse_toml(text: str, name: str) -> dict[str, Any]:
    try:
        return parse_toml(text)
    except NotToml as error:
        reason = f"{name}:{error.line}: {error.reason}"
    raise ProfileError(reason)


def _words(path: Path, text: str) -> typed.Words:
    return f"{dotted(path) or 'profile'}: {text}", ""


class _Wording:
    """The words of `card.tables.table.Wording` for profiles."""

    def refused(self, path: Path, value: object, kind: Kind[object], error: ValueError) -> typed.Words:
        reason = f" {error}" if isinstance(error, RefusedError) else ""
        return _words(path, f"found {describe(value, secret=kind.secret)}{reason}; allowed: {kind.allowed}")

    def missing(self, path: Path, allowed: str) -> typed.Words:
        return _words(path, f"missing; allowed: {allowed}")

    def unknown(self, path: Path, near: str, known: Sequence[str]) -> typed.Words:
        hint = f'did you mean "{near}"?' if near else f"allowed: {', '.join(known)}"
        return _words(path, f"unknown key; {hint}")

    def no_table(self, path: Path, value: object) -> typed.Words:
        # The value is not shown: it may be a PIN that was written where its table belongs.
        return _words(path, f"found {describe(value, secret=True)}; allowed: a table")


_WORDING = _Wording()


class _Builder:
    """Turns the values TOML gave into dataclasses and notes what does not fit."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._entries: dict[type[object], tuple[Entry, ...]] = {}  # a profile may have many tables of one shape

    def _value(self, spec: Spec, value: object, path: Path) -> object:
        match spec:
            case Kind():
                return self._single(spec, value, path)
            case ListOf():
                return self._list(spec, value, path)
            case Table():
                return self.table(spec.shape, value, path)
            case MapOf():
                return self._map(spec, value, path)
            case ReservedName():
                return self._wrong(path, f"kept for {spec.purpose}, which this version does not support")

    def _single(self, kind: Kind[object], value: object, path: Path) -> object:
        found = typed.read_value(path, value, kind, self._problems, _WORDING)
        return _WRONG if found is None else found

    def _wrong(self, path: Path, text: str) -> object:
        self._problems.add(path, *_words(path, text))
        return _WRONG

    def _list(self, spec: ListOf, value: object, path: Path) -> object:
        if not isinstance(value, list) or len(value) > spec.at_most:
            return self._wrong(path, f"found {describe(value, secret=True)}; allowed: {_allowed(spec)}")
        items = [self._value(spec.item, item, (*path, index)) for index, item in enumerate(value)]
        return _WRONG if any(item is _WRONG for item in items) else tuple(items)

    def _map(self, spec: MapOf, value: object, path: Path) -> object:
        table = typed.Table.of(value, path, self._problems, _WORDING)
        if table is None:
            return _WRONG
        unknown = table.refuse_unknown(spec.names)
        items = {key: self._single(spec.item, table.data[key], (*path, key)) for key in table.data if key in spec.names}
        return _WRONG if unknown or any(item is _WRONG for item in items.values()) else items

    def table(self, shape: type[object], value: object, path: Path) -> object:
        """Return the table as a `shape`, or what stands for a value whose problem has been noted."""
        table = typed.Table.of(value, path, self._problems, _WORDING)
        if table is None:
            return _WRONG
        fields = self._entries[shape] = self._entries.get(shape) or entries(shape)
        usable = [entry.key for entry in fields if not isinstance(entry.spec, ReservedName)]
        table.refuse_unknown([entry.key for entry in fields], usable)
        values = {
            entry.key: self._value(entry.spec, table.data[entry.key], (*path, entry.key))
            for entry in fields
            if entry.key in table
        }
        missing = [entry for entry in fields if entry.required and entry.key not in table]
        for entry in missing:
            table.miss(entry.key, _allowed(entry.spec))
        if missing or any(item is _WRONG for item in values.values()):
            return _WRONG
        return self._checked(shape(**values), path)

    def _checked(self, table: object, path: Path) -> object:
        faults = list(table.check()) if isinstance(table, RuledTable) else []
        for fault in faults:
            self._wrong((*path, *fault.path), fault.text)
        return _WRONG if faults else table


def _allowed(spec: Spec) -> str:
    match spec:
        case Kind():
            return spec.allowed
        case ListOf(item=Kind(allowed=each)):
            return f"a list of at most {spec.at_most} values, each {each}"
        case ListOf():
            return f"a list of at most {spec.at_most} tables"
        case _:
            return "a table"
