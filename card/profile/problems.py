"""Collects everything that is wrong with a profile, so that a person can mend it in one go."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from card.disk.toml_lines import Path
from card.errors import ProfileError

MOST_PROBLEMS = 20
_MOST_SHOWN = 40
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LIKE_A_SECRET = re.compile(r"[0-9A-Fa-f]{24}")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where (a path in the file) and what, in words that hold no secret."""

    path: Path
    text: str


class EnoughProblemsError(Exception):
    """So many problems are known that looking for more helps nobody."""


class Problems:
    """The problems found so far, at most `MOST_PROBLEMS` of them."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def add(self, path: Path, text: str) -> None:
        """Note a problem. Raises `EnoughProblemsError` when the list is full."""
        self.found.append(Problem(path, text))
        if len(self.found) >= MOST_PROBLEMS:
            raise EnoughProblemsError

    def to_error(self, name: str, line_of: Callable[[Path], int]) -> ProfileError:
        """Return the error that tells all problems of the file `name` in the order of their lines."""
        ordered = sorted(self.found, key=lambda item: line_of(item.path))
        lines = [f"{name}:{line_of(item.path)}: {dotted(item.path)}: {item.text}" for item in ordered]
        if len(lines) >= MOST_PROBLEMS:
            lines.append(f"{name}: stopped after {MOST_PROBLEMS} problems; there may be more")
        return ProfileError("\n".join(lines))


def dotted(path: Path) -> str:
    """Return the path as people write it, list elements counted from 1: `files[1].path`."""
    shown = ""
    for part in path:
        if isinstance(part, int):
            shown += f"[{part + 1}]"
        else:
            shown += ("." if shown else "") + show_key(part)
    return shown or "profile"


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
