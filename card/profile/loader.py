"""Reads a TOML text into the dataclasses of the schema and tells every problem with its line.

The loader knows nothing of cards: it walks the fields of a dataclass, each annotated with what it may hold
(`card/profile/fields.py`), and asks a table with rules across fields (`check`) whether they hold.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast, get_type_hints, runtime_checkable

from card.disk.kinds import PROFILE
from card.disk.reading import read_text
from card.disk.toml import NotToml, parse_toml
from card.disk.toml_lines import Path, line_of, lines_of
from card.errors import ProfileError, UnusableFile
from card.profile.fields import Kind, ListOf, MapOf, RefusedError, Reserved, Spec, Table
from card.profile.problems import EnoughProblemsError, Problems, describe

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
class Checked(Protocol):
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
    problems = Problems()
    value = _Builder(problems).build(shape, _parse_toml(text, name))
    if problems.found:
        lines = lines_of(text)
        raise problems.to_error(name, lambda path: line_of(lines, path))
    return cast(T, value)


def _parse_toml(text: str, name: str) -> dict[str, Any]:
    try:
        return parse_toml(text)
    except NotToml as error:
        reason = f"{name}:{error.line}: {error.reason}"
    raise ProfileError(reason)


class _Builder:
    """Turns the values TOML gave into dataclasses and notes what does not fit."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._entries: dict[type[object], tuple[Entry, ...]] = {}  # a profile may have many tables of one shape

    def build(self, shape: type[object], data: dict[str, Any]) -> object:
        try:
            return self._table(shape, data, ())
        except EnoughProblemsError:
            return _WRONG

    def _wrong(self, path: Path, text: str) -> object:
        self._problems.add(path, text)
        return _WRONG

    def _value(self, spec: Spec, value: object, path: Path) -> object:
        match spec:
            case Kind():
                return self._single(spec, value, path)
            case ListOf():
                return self._list(spec, value, path)
            case Table():
                return self._table(spec.shape, value, path)
            case MapOf():
                return self._map(spec, value, path)
            case Reserved():
                return self._wrong(path, f"kept for {spec.purpose}, which this version does not support")

    def _single(self, kind: Kind, value: object, path: Path) -> object:
        found = f"found {describe(value, secret=kind.secret)}"
        try:
            return kind.parse(value)
        except RefusedError as error:
            reason = f"{found} {error}; allowed: {kind.allowed}"
        except ValueError:
            reason = f"{found}; allowed: {kind.allowed}"
        return self._wrong(path, reason)

    def _list(self, spec: ListOf, value: object, path: Path) -> object:
        if not isinstance(value, list) or len(value) > spec.at_most:
            return self._wrong(path, f"found {describe(value, secret=True)}; allowed: {_allowed(spec)}")
        items = [self._value(spec.item, item, (*path, index)) for index, item in enumerate(value)]
        return _WRONG if any(item is _WRONG for item in items) else tuple(items)

    def _map(self, spec: MapOf, value: object, path: Path) -> object:
        if not isinstance(value, dict):
            return self._wrong(path, f"found {describe(value, secret=True)}; allowed: a table")
        unknown = [key for key in value if key not in spec.names]
        for key in unknown:
            self._wrong((*path, key), f"unknown key; allowed: {', '.join(spec.names)}")
        items = {key: self._single(spec.item, item, (*path, key)) for key, item in value.items() if key in spec.names}
        return _WRONG if unknown or any(item is _WRONG for item in items.values()) else items

    def _table(self, shape: type[object], value: object, path: Path) -> object:
        if not isinstance(value, dict):
            # The value is not shown: it may be a PIN that was written where its table belongs.
            return self._wrong(path, f"found {describe(value, secret=True)}; allowed: a table")
        fields = self._entries[shape] = self._entries.get(shape) or entries(shape)
        self._refuse_unknown(fields, value, path)
        values = {
            entry.key: self._value(entry.spec, value[entry.key], (*path, entry.key))
            for entry in fields
            if entry.key in value
        }
        missing = [entry for entry in fields if entry.required and entry.key not in value]
        for entry in missing:
            self._problems.add((*path, entry.key), f"missing; allowed: {_allowed(entry.spec)}")
        if missing or any(item is _WRONG for item in values.values()):
            return _WRONG
        return self._checked(shape(**values), path)

    def _checked(self, table: object, path: Path) -> object:
        faults = list(table.check()) if isinstance(table, Checked) else []
        for fault in faults:
            self._problems.add((*path, *fault.path), fault.text)
        return _WRONG if faults else table

    def _refuse_unknown(self, fields: tuple[Entry, ...], value: dict[str, Any], path: Path) -> None:
        known = {entry.key for entry in fields}
        usable = [entry.key for entry in fields if not isinstance(entry.spec, Reserved)]
        for key in (key for key in value if key not in known):
            near = difflib.get_close_matches(key[:64].lower(), usable, n=1)
            hint = f'did you mean "{near[0]}"?' if near else f"allowed: {', '.join(usable)}"
            self._problems.add((*path, key), f"unknown key; {hint}")


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
