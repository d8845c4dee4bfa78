"""Reads typed fields of a TOML table and collects what is wrong, each with its line and a hint."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from card.disk.toml import NotToml, parse_toml
from card.disk.toml_lines import Path, line_of, lines_of
from host_tools.script.errors import ExpressionError, Place, Problem, ScriptError
from host_tools.script.model import BUILT_IN
from host_tools.script.template import NAME

T = TypeVar("T")
_MOST_NOTED = 1000


class Problems:
    """What is wrong with one file so far."""

    def __init__(self, file: str, lines: Mapping[Path, int]) -> None:
        self.file = file
        self._lines = lines
        self.found: list[Problem] = []

    def place(self, path: Path) -> Place:
        """Return where a key, or the nearest table around it, stands."""
        return Place(self.file, line_of(self._lines, path))

    def add(self, path: Path, text: str, hint: str = "") -> None:
        """Note a problem; when very many are known, more help nobody."""
        if len(self.found) < _MOST_NOTED:
            self.found.append(Problem(self.place(path), text, hint))

    def check(self) -> None:
        """Raise `ScriptError` when anything was noted."""
        if self.found:
            raise ScriptError(*sorted(self.found, key=lambda problem: problem.place))


def read_toml(text: str, file: str) -> tuple[dict[str, object], Problems]:
    """Return what a TOML text says, and where problems with it are noted; `file` stands in messages.

    Raises `ScriptError` where it is no TOML.
    """
    try:
        data = parse_toml(text)
    except NotToml as error:
        raise ScriptError(Problem(Place(file, error.line), error.reason)) from None
    return data, Problems(file, lines_of(text))


class Table:
    """One table. Every reader notes a problem and returns a default where the value is not as it should be."""

    def __init__(self, data: object, path: Path, problems: Problems, allowed: Sequence[str]) -> None:
        self.path = path
        self.problems = problems
        self.data: Mapping[str, object] = {}
        if isinstance(data, dict):
            self.data = data
        else:
            problems.add(path, f"a table is wanted here, not {_kind(data)}")
        for key in self.data:
            if key not in allowed:
                self._unknown(key, allowed)

    def _unknown(self, key: str, allowed: Sequence[str]) -> None:
        near = difflib.get_close_matches(key, allowed, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(allowed)}"
        self.problems.add((*self.path, key), f"unknown key {key[:40]!r}", hint)

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def text(self, key: str, default: str = "") -> str:
        """Return text."""
        return self._read(key, str, "text in quotes", default)

    def flag(self, key: str, default: bool = False) -> bool:
        """Return true or false."""
        return self._read(key, bool, "true or false", default)

    def whole(self, key: str, lowest: int, highest: int, default: int = 0) -> int:
        """Return a whole number within limits."""
        value = self._read(key, int, "a whole number", default)
        if key in self.data and not lowest <= value <= highest:
            self.problems.add((*self.path, key), f"{key} is {value}", f"from {lowest} to {highest}")
            return default
        return value

    def seconds(self, key: str) -> float | None:
        """Return a positive duration; None when it is missing."""
        value = self.data.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 3600:
            self.problems.add((*self.path, key), f"{key} is no duration", "seconds, above 0 and up to 3600")
            return None
        return float(value)

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

    def _read(self, key: str, kind: type[T], wanted: str, default: T) -> T:
        value = self.data.get(key, default)
        if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
            return value
        self.problems.add((*self.path, key), f"{key} is {_kind(value)}", f"{wanted} is wanted")
        return default


def parse_text(problems: Problems, path: Path, value: object, parser: Callable[[str], T]) -> T | None:
    """Return what `parser` makes of a text; note a problem and return None when it is wrong."""
    key = next((part for part in reversed(path) if isinstance(part, str)), "value")
    if not isinstance(value, str):
        problems.add(path, f"{key} is {_kind(value)}", "text in quotes is wanted")
        return None
    try:
        return parser(value)
    except ExpressionError as error:
        problems.add(path, f"{key}: {error}")
        return None


def check_name(problems: Problems, path: Path, name: str) -> None:
    """Note a problem where a script may not give a variable this name."""
    if not re.fullmatch(NAME, name):
        problems.add(path, f"{name[:40]!r} is no name for a variable", "small letters, digits and _")
    elif name in BUILT_IN:
        problems.add(path, f"{name} is set from the card", "choose another name")


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
