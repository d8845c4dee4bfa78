"""Reads TOML text, so that whatever is wrong with it has a line.

`tomllib` does the work. Two things it lets through, or ends on in ways of its own, are caught here: a key of very many
parts, which takes it time by the square, and numbers and nesting beyond Python's own limits.
"""

from __future__ import annotations

import json
import re
import tomllib

from card.disk.toml_lines import tokens

MOST_NESTING = 16
"""Deepest nesting of brackets, and the largest number of parts in a dotted key."""

_PLACE = re.compile(r" \(at line (?P<line>\d+), column (?P<column>\d+)\)$")


class NotToml(Exception):
    """A text is no TOML, or nested too deeply: the line (counted from 1), and why in words."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


def parse_toml(text: str) -> dict[str, object]:
    """Return what a TOML text says. Raises `NotToml`."""
    _refuse_depth(text)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line, reason = _told(error, text)
    except (ValueError, RecursionError):  # Python's own limits, on the digits of an integer and on recursion
        line, reason = 1, "not TOML: a number is too long or the nesting too deep"
    raise NotToml(line, reason)


def quoted(text: str) -> str:
    """Return text as a TOML basic string: JSON's escapes are TOML's, too. Half a character becomes a question mark."""
    whole = text.encode(errors="replace").decode()
    return json.dumps(whole, ensure_ascii=False).replace("\x7f", "\\u007F")


def _told(error: tomllib.TOMLDecodeError, text: str) -> tuple[int, str]:
    match = _PLACE.search(str(error))
    if match is None:
        return text.count("\n") + 1, f"not TOML: {error}"
    return int(match["line"]), f"not TOML, at column {match['column']}: {str(error)[: match.start()]}"


def _refuse_depth(text: str) -> None:
    """Raise `NotToml` for what would make a parser recurse deeply, or take time by the square."""
    depth = dots = 0
    for token in tokens(text):
        match token.text:
            case "[" | "{":
                depth, dots = depth + 1, 0
            case "]" | "}":
                depth, dots = max(depth - 1, 0), 0
            case ".":
                dots += 1
            case "=" | "," | "\n":
                dots = 0
        if max(depth, dots) > MOST_NESTING:
            raise NotToml(token.line, f"nested more than {MOST_NESTING} deep")
