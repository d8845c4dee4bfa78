"""Reads the tables of scripts and of what is written like them, each problem with its line and a hint."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from card.disk.toml import NotToml, parse_toml
from card.disk.toml_lines import Path
from card.tables import problems as noted
from card.tables import table as typed
from card.tables.kinds import FLAG, TEXT, Kind, OutOfRange, RefusedError, as_number, integer
from card.tables.problems import Place, Places, Problem
from host_tools.script.errors import ExpressionError, ScriptError
from host_tools.script.model import BUILT_IN
from host_tools.script.template import NAME

T = TypeVar("T")
_LONGEST_WAIT = 3600.0


class Problems(noted.Problems):
    """What is wrong with one file so far. `included` is what is wrong with files that it includes."""

    def __init__(self, file: str, text: str) -> None:
        super().__init__()
        self._places = Places(file, text)
        self.included: list[Problem] = []

    def place(self, path: Path) -> Place:
        """Return where a key, or the nearest table around it, stands."""
        return self._places.place(path)

    def check(self) -> None:
        """Raise `ScriptError` when anything was noted."""
        found = [*self.placed(self._places), *self.included]
        if found:
            raise ScriptError(*sorted(found, key=lambda problem: problem.place))


def read_toml(text: str, file: str) -> tuple[dict[str, object], Problems]:
    """Return what a TOML text says, and where problems with it are noted; `file` stands in messages.

    Raises `ScriptError` where it is no TOML.
    """
    try:
        data = parse_toml(text)
    except NotToml as error:
        raise ScriptError(Problem(Place(file, error.line), error.reason)) from None
    return data, Problems(file, text)


class _Wording:
    """The words of `card.tables.table.Wording` for scripts, whose fields are named by their last key."""

    def refused(self, path: Path, value: object, kind: Kind[object], error: ValueError) -> typed.Words:
        match error:
            case OutOfRange():
                return f"{_key(path)} is {value}", str(error)
            case RefusedError():
                return f"{_key(path)} is {error}", kind.allowed
            case _:
                return f"{_key(path)} is {_kind(value)}", f"{kind.allowed} is wanted"

    def missing(self, path: Path, allowed: str) -> typed.Words:
        return f"{_key(path)} is missing", f"{allowed} is wanted"

    def unknown(self, path: Path, near: str, known: Sequence[str]) -> typed.Words:
        hint = f"did you mean {near!r}?" if near else f"known here: {', '.join(known)}"
        return f"unknown key {_key(path)[:40]!r}", hint

    def no_table(self, _path: Path, value: object) -> typed.Words:
        return f"a table is wanted here, not {_kind(value)}", ""


_WORDING = _Wording()


def _duration(value: object) -> float:
    try:
        seconds = as_number(value)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _LONGEST_WAIT:
        raise RefusedError("no duration")
    return float(seconds)


_SECONDS = Kind(f"seconds, above 0 and up to {_LONGEST_WAIT:g}", _duration)


class Table:
    """One table. Every reader notes a problem and returns a default where the value is not as it should be."""

    def __init__(self, data: object, path: Path, problems: Problems, allowed: Sequence[str]) -> None:
        self.path = path
        self.problems = problems
        self._table = typed.Table.of(data, path, problems, _WORDING) or typed.Table({}, path, problems, _WORDING)
        self.data: Mapping[str, object] = self._table.data
        self._table.refuse_unknown(allowed)

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def text(self, key: str, default: str = "") -> str:
        """Return text."""
        return self._table.read(key, TEXT, default)

    def flag(self, key: str, default: bool = False) -> bool:
        """Return true or false."""
        return self._table.read(key, FLAG, default)

    def whole(self, key: str, lowest: int, highest: int, default: int = 0) -> int:
        """Return a whole number within limits."""
        return self._table.read(key, integer(lowest, highest, "a whole number"), default)

    def seconds(self, key: str) -> float | None:
        """Return a positive duration; None when it is missing."""
        return self._table.read(key, _SECONDS, None)

    def texts(self, key: str) -> tuple[tuple[Path, str], ...]:
        """Return a list of texts, or one text as a list of one, each with its path."""
        value = self.data.get(key, [])
        if isinstance(value, str):
            return (((*self.path, key), value),)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.problems.add((*self.path, key), f"{key} is text, or a list of texts")
            return ()
        return tuple(((*self.path, key, index), item) for index, item in enumerate(value))

    def pairs(self, key: str) -> tuple[tuple[Path, str, object], ...]:
        """Return path, key and value of everything in a table below this one."""
        value = self.data.get(key, {})
        if not isinstance(value, dict):
            self.problems.add((*self.path, key), f'{key} is a table: {key} = {{ name = "…" }}')
            return ()
        return tuple(((*self.path, key, name), name, item) for name, item in value.items())

    def parse(self, key: str, parser: Callable[[str], T]) -> T | None:
        """Return what `parser` makes of the text; None when it is missing or wrong."""
        if key not in self.data:
            return None
        return parse_text(self.problems, (*self.path, key), self.data[key], parser)


def parse_text(problems: Problems, path: Path, value: object, parser: Callable[[str], T]) -> T | None:
    """Return what `parser` makes of a text; note a problem and return None when it is wrong."""
    text = typed.read_value(path, value, TEXT, problems, _WORDING)
    if text is None:
        return None
    try:
        return parser(text)
    except ExpressionError as error:
        problems.add(path, f"{_key(path)}: {error}")
        return None


def check_name(problems: Problems, path: Path, name: str) -> None:
    """Note a problem where a script may not give a variable this name."""
    if not re.fullmatch(NAME, name):
        problems.add(path, f"{name[:40]!r} is no name for a variable", "small letters, digits and _")
    elif name in BUILT_IN:
        problems.add(path, f"{name} is set from the card", "choose another name")


def _key(path: Path) -> str:
    return next((part for part in reversed(path) if isinstance(part, str)), "value")


def _kind(value: object) -> str:
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return "a date or time"
