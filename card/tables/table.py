"""Reads the fields of one table and notes whatever is not as it should be."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from card.disk.toml_lines import Path
from card.tables.kinds import Kind
from card.tables.problems import Problems

_T = TypeVar("_T")
_LONGEST_COMPARED = 64

Words = tuple[str, str]
"""What is wrong, and a hint, which may be empty."""


class Wording(Protocol):
    """How the problems of one kind of file are put into words. No word holds the value of a secret."""

    def refused(self, path: Path, value: object, kind: Kind[object], error: ValueError, /) -> Words:
        """Say that a value is none of its kind, and what is allowed."""

    def missing(self, path: Path, allowed: str, /) -> Words:
        """Say that a field is not there."""

    def unknown(self, path: Path, near: str, known: Sequence[str], /) -> Words:
        """Say that nobody knows a key; `near` is one that looks alike, empty where there is none."""

    def no_table(self, path: Path, value: object, /) -> Words:
        """Say that there is something else where a table belongs."""


def read_value(path: Path, value: object, kind: Kind[_T], problems: Problems, wording: Wording) -> _T | None:
    """Return what a value means; None, and the problem is noted, where it is none of its kind."""
    try:
        return kind.parse(value)
    except ValueError as error:
        words = wording.refused(path, value, kind, error)
    problems.add(path, *words)
    return None


def closest(key: str, known: Sequence[str]) -> str:
    """Return the known key that somebody may have meant; empty where none looks like it."""
    return next(iter(difflib.get_close_matches(key[:_LONGEST_COMPARED].lower(), known, n=1)), "")


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a file: its data as `tomllib` gave them, the path to it, and where problems go."""

    data: Mapping[str, object]
    path: Path
    problems: Problems
    wording: Wording

    @classmethod
    def of(cls, data: object, path: Path, problems: Problems, wording: Wording) -> Table | None:
        """Return the table; None, and the problem is noted, where the data are none."""
        if isinstance(data, dict):
            return cls(data, path, problems, wording)
        problems.add(path, *wording.no_table(path, data))
        return None

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def read(self, key: str, kind: Kind[_T], default: _T) -> _T:
        """Return a field that may be missing; `default` also where it is wrong."""
        if key not in self.data:
            return default
        found = read_value((*self.path, key), self.data[key], kind, self.problems, self.wording)
        return default if found is None else found

    def require(self, key: str, kind: Kind[_T], fallback: _T) -> _T:
        """Return a field that must be there; `fallback` where it is missing or wrong."""
        if key not in self.data:
            self.miss(key, kind.allowed)
        return self.read(key, kind, fallback)

    def miss(self, key: str, allowed: str) -> None:
        """Note that a field is missing."""
        self.problems.add((*self.path, key), *self.wording.missing((*self.path, key), allowed))

    def refuse_unknown(self, known: Sequence[str], usable: Sequence[str] | None = None) -> list[str]:
        """Note every key that is none of these, and return them; `usable` are those to be told, mostly all."""
        told = known if usable is None else usable
        unknown = [key for key in self.data if key not in known]
        for key in unknown:
            if self.problems.is_full:
                break  # looking for a key that is near takes time
            self.problems.add((*self.path, key), *self.wording.unknown((*self.path, key), closest(key, told), told))
        return unknown
