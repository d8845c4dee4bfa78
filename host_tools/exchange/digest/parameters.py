"""Reads and writes the parameters of authentication headers (RFC 7235 clause 2.1, RFC 7616 clause 3.3).

A header text is ISO 8859-1: each character is one octet. The reader takes any order, any spacing, values with and
without quotes, empty places in the list, and several challenges in one text. It refuses what has no single meaning.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from card.errors import DecodeError, EncodeError
from card.lean import lean_dataclass

LONGEST_HEADER = 8192
"""Characters of one header value, as most servers limit it."""
_MOST_PARAMETERS = 48
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_SPACES = re.compile(r"[ \t]*+")
_SEPARATORS = re.compile(r"[ \t,]*+")
_NAME = re.compile(r"[^ \t,=\"]++")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*+)"')
_BARE = re.compile(r"[^ \t,\"]*+")
_PARAMETER = re.compile(r'[ \t,]*+([^ \t,="]++)[ \t]*+=[ \t]*+(?:"((?:[^"\\]|\\.)*+)"|([^ \t,"]*+))[ \t]*+(?=,|\Z)')
"""A whole parameter with the separators before it, in one step: what nearly every one is. The others are read in steps,
which tell what is wrong."""
_ESCAPED = re.compile(r"\\(.)")


@lean_dataclass(frozen=True, slots=True)
class Scheme:
    """One scheme of a header, in lower case, and its parameters by lower-case name."""

    name: str
    parameters: Mapping[str, str]


def parse_schemes(text: str) -> tuple[Scheme, ...]:
    """Read the value of `WWW-Authenticate` or `Authorization`. Raises `DecodeError`, also for a doubled parameter."""
    place = _Place(_checked(text))
    found: list[tuple[str, dict[str, str]]] = []
    while True:
        if found:
            place.parameters(found[-1][1])
        if not place.more():
            break
        name = place.name()
        if place.sees_equals():
            if not found:
                raise DecodeError("the header begins with a parameter: a scheme is missing")
            _add(found[-1][1], name, place.value())
            place.end_of_parameter()
            continue
        found.append((name, {}))
    return tuple(Scheme(name, parameters) for name, parameters in found)


def parse_parameters(text: str) -> Mapping[str, str]:
    """Read a header that has parameters and no scheme, as `Authentication-Info`. Raises `DecodeError`."""
    place = _Place(_checked(text))
    found: dict[str, str] = {}
    place.parameters(found)
    while place.more():
        name = place.name()
        if not place.sees_equals():
            raise DecodeError("a parameter has no value")
        _add(found, name, place.value())
        place.end_of_parameter()
    return found


def quote(value: str) -> str:
    """Return a value as quoted string. Raises `EncodeError` for what a header cannot hold."""
    if _CONTROL.search(value) or not _fits(value):
        raise EncodeError("a header holds no control characters and nothing beyond ISO 8859-1")
    escaped = value.replace("\\", r"\\").replace('"', r"\"")
    return f'"{escaped}"'


class _Place:
    """A position in a header text, which only moves forward."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def parameters(self, found: dict[str, str]) -> None:
        """Take the parameters that come next, as far as they are well-formed."""
        while (taken := _PARAMETER.match(self._text, self._at)) is not None:
            name, quoted, bare = taken.groups()
            _add(found, name.lower(), bare if quoted is None else _unescaped(quoted))
            self._at = taken.end()

    def more(self) -> bool:
        """Pass separators; tell whether something is left."""
        self._pass(_SEPARATORS)
        return self._at < len(self._text)

    def name(self) -> str:
        """Take a scheme or the name of a parameter."""
        found = _NAME.match(self._text, self._at)
        if found is None:
            raise DecodeError(f"a name is wanted at character {self._at + 1} of the header")
        self._at = found.end()
        self._pass(_SPACES)
        return found[0].lower()

    def sees_equals(self) -> bool:
        """Tell whether `=` comes next, and pass it."""
        if not self._text.startswith("=", self._at):
            return False
        self._at += 1
        self._pass(_SPACES)
        return True

    def value(self) -> str:
        """Take a value, with quotes or without."""
        if self._text.startswith('"', self._at):
            found = _QUOTED.match(self._text, self._at)
            if found is None:
                raise DecodeError("a quoted value does not end")
            self._at = found.end()
            return _unescaped(found[1])
        return self._pass(_BARE)

    def end_of_parameter(self) -> None:
        """Pass spaces; a comma or the end must follow."""
        self._pass(_SPACES)
        if self._at < len(self._text) and self._text[self._at] != ",":
            raise DecodeError(f"a comma is missing at character {self._at + 1} of the header")

    def _pass(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        assert found is not None, "the pattern matches the empty text"
        self._at = found.end()
        return found[0]


def _checked(text: str) -> str:
    if len(text) > LONGEST_HEADER:
        raise DecodeError(f"the header has {len(text)} characters, more than {LONGEST_HEADER}")
    if _CONTROL.search(text) or not _fits(text):
        raise DecodeError("the header holds a control character or one that is none of ISO 8859-1")
    return text


def _unescaped(quoted: str) -> str:
    return _ESCAPED.sub(r"\1", quoted) if "\\" in quoted else quoted


def _fits(text: str) -> bool:
    return text.isascii() or max(text) <= "\xff"


def _add(found: dict[str, str], name: str, value: str) -> None:
    if name in found:
        raise DecodeError(f"the parameter {name[:32]} stands twice in the header")
    if len(found) >= _MOST_PARAMETERS:
        raise DecodeError(f"the header has more than {_MOST_PARAMETERS} parameters")
    found[name] = value
