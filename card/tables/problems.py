"""Collects everything that is wrong with a file, each with its line, so that a person can mend it in one go."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from card.disk.toml_lines import Path, line_of, lines_of

MOST_LISTED = 20
"""Problems that a message lists; more help nobody."""
MOST_NOTED = 1000
_MOST_SHOWN = 40
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LIKE_A_SECRET = re.compile(r"[0-9A-Fa-f]{24}")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line (counted from 1) of a file."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, where, and what would be right."""

    place: Place
    text: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.text}" + (f" ({self.hint})" if self.hint else "")


class Places:
    """Finds the lines of one file; its text is looked through when the first is asked for."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self._text = text
        self._lines: Mapping[Path, int] | None = None

    def place(self, path: Path) -> Place:
        """Return where a key, or the nearest table around it, stands."""
        if self._lines is None:
            self._lines = lines_of(self._text)
        return Place(self.file, line_of(self._lines, path))


class Problems:
    """What is wrong with one file, at most `most` things; what is noted beyond is forgotten."""

    def __init__(self, most: int = MOST_NOTED) -> None:
        self._most = most
        self._found: list[tuple[Path, str, str]] = []

    def __len__(self) -> int:
        return len(self._found)

    @property
    def is_full(self) -> bool:
        """True when nothing more is noted."""
        return len(self._found) >= self._most

    def add(self, path: Path, text: str, hint: str = "") -> None:
        """Note a problem with what `path` leads to."""
        if not self.is_full:
            self._found.append((path, text, hint))

    def placed(self, places: Places) -> list[Problem]:
        """Return the problems in the order of their lines."""
        found = (Problem(places.place(path), text, hint) for path, text, hint in self._found)
        return sorted(found, key=lambda problem: problem.place)


def dotted(path: Path) -> str:
    """Return the path as people write it, list elements counted from 1: `files[1].path`."""
    shown = ""
    for part in path:
        if isinstance(part, int):
            shown += f"[{part + 1}]"
        else:
            shown += ("." if shown else "") + show_key(part)
    return shown


def show_key(key: str) -> str:
    """Return a key fit for a message: quoted if need be, shortened, left out if it looks like a secret."""
    if _LIKE_A_SECRET.search(key):
        return "(long hex)"
    return key if _BARE_KEY.fullmatch(key) else _shortened(key)


def describe(value: object, *, secret: bool = False) -> str:
    """Say what was found. A secret, and any text that could be a misplaced one, is described, not shown."""
    match value:
        case bool():
            return "a flag" if secret else str(value).lower()
        case int() | float():
            return "a number" if secret or abs(value) > 1 << 64 else f"the number {value}"
        case str():
            hidden = secret or _LIKE_A_SECRET.search("".join(value[:1000].split()))
            return f"text of {len(value)} characters" if hidden else _shortened(value)
        case list():
            return f"a list of {len(value)} values"
        case dict():
            return "a table"
        case _:
            return "a date or time"


def _shortened(text: str) -> str:
    shown = repr(text[:_MOST_SHOWN])[1:-1].replace('"', '\\"')
    return f'"{shown}"' if len(text) <= _MOST_SHOWN else f'"{shown}"... ({len(text)} characters)'
