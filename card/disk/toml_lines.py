"""Finds the line on which each key and list element of a TOML text stands, which `tomllib` does not tell.

It is a light scan, not a second TOML parser: `lines_of` expects text that `tomllib` has accepted. On any
other text that is not nested deeply it still ends and returns something, so that an error can be reported.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

Path = tuple[str | int, ...]
"""Keys and list positions (counted from 0) that lead to a value, as in ("files", 0, "path")."""

# Every alternative that opens a string also matches when the string is never closed, and the repeats are
# possessive, so that hostile text is scanned once and not once per quote.
_TOKEN = re.compile(
    r'''
      (?P<space>   [ \t\r]++ | \#[^\n]*+ )
    | (?P<newline> \n )
    | (?P<string>  """ (?: [^"\\]++ | \\[\s\S]? | "(?!"") )*+ (?: "{3,5} | \Z )
                 | \'\'\' (?: [^']++ | '(?!\'\') )*+ (?: '{3,5} | \Z )
                 | " (?: [^"\\\n]++ | \\[^\n]? )*+ "?
                 | ' [^'\n]*+ '? )
    | (?P<mark>    [\[\]{}=,.] )
    | (?P<bare>    [A-Za-z0-9_-]++ )
    | (?P<other>   . )
    ''',
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Token:
    """One piece of TOML text and the line (counted from 1) on which it begins."""

    kind: str
    text: str
    line: int


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens of TOML text without spaces and comments."""
    line = 1
    for match in _TOKEN.finditer(text):
        kind, piece = match.lastgroup or "other", match.group()
        if kind != "space":
            yield Token(kind, piece, line)
        line += piece.count("\n")


def lines_of(text: str) -> Mapping[Path, int]:
    """Return the line of every key, table and list element in `text`."""
    return _Scanner(text).scan()


def line_of(lines: Mapping[Path, int], path: Path) -> int:
    """Return the line of `path`, or of the nearest table or key around it, or 1."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


_END = Token("end", "", 0)


class _Scanner:
    """Walks the tokens of one text and notes where each path begins."""

    def __init__(self, text: str) -> None:
        self._tokens = tokens(text)
        self._next = next(self._tokens, _END)
        self._lines: dict[Path, int] = {}
        self._counts: dict[Path, int] = {}

    def scan(self) -> dict[Path, int]:
        table: Path = ()
        while self._next is not _END:
            if self._next.text == "[":
                table = self._header()
            elif self._next.kind in ("bare", "string"):
                self._assignment(table)
            else:
                self._advance()
        return self._lines

    def _advance(self) -> Token:
        token = self._next
        self._next = next(self._tokens, _END)
        return token

    def _skip_newlines(self) -> None:
        while self._next.kind == "newline":
            self._advance()

    def _note(self, path: Path, line: int) -> None:
        self._lines.setdefault(path, line)

    def _key(self) -> list[str]:
        """Read a key, dotted or not."""
        parts = []
        while self._next.kind in ("bare", "string") or self._next.text == ".":
            token = self._advance()
            if token.text != ".":
                parts.append(_unquoted(token))
        return parts

    def _header(self) -> Path:
        """Read `[table]` or `[[array of tables]]` and return the path that the lines below it belong to."""
        line = self._advance().line
        is_array = self._next.text == "["
        if is_array:
            self._advance()
        path: Path = ()
        keys = self._key()
        for position, key in enumerate(keys, start=1):
            path += (key,)
            self._note(path, line)
            if is_array and position == len(keys):
                self._counts[path] = self._counts.get(path, 0) + 1
            if path in self._counts:
                path += (self._counts[path] - 1,)
                self._note(path, line)
        while self._next.kind not in ("newline", "end"):
            self._advance()
        return path

    def _assignment(self, table: Path) -> None:
        """Read `key = value` inside a table."""
        line, path = self._next.line, table
        for key in self._key():
            path += (key,)
            self._note(path, line)
        if self._next.text == "=":
            self._advance()
            self._value(path)

    def _value(self, path: Path) -> None:
        match self._next.text:
            case "[":
                self._array(path)
            case "{":
                self._inline_table(path)
            case _:
                while self._next.text not in (",", "]", "}") and self._next.kind not in ("newline", "end"):
                    self._advance()

    def _array(self, path: Path) -> None:
        self._advance()
        index = 0
        self._skip_newlines()
        while self._next.text != "]" and self._next is not _END:
            self._note((*path, index), self._next.line)
            self._value((*path, index))
            self._skip_newlines()
            if self._next.text == ",":
                index += 1
            if self._next.text != "]":
                self._advance()
            self._skip_newlines()
        self._advance()

    def _inline_table(self, path: Path) -> None:
        self._advance()
        while self._next.text != "}" and self._next is not _END:
            if self._next.kind in ("bare", "string"):
                self._assignment(path)
            else:
                self._advance()
        self._advance()


def _unquoted(token: Token) -> str:
    """Return the key that a token stands for."""
    if token.kind == "bare" or not token.text.startswith('"'):
        return token.text.strip("'")
    try:
        return str(tomllib.loads(f"key = {token.text}")["key"])
    except tomllib.TOMLDecodeError:
        return token.text
