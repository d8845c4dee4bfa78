"""The notation of bytes in scripts: hex with variables, lengths that count themselves, and wildcards.

00 A4 04 04 [{usim_aid}] 00      [ ] puts the length byte (Lc) in front
00 89 80 85 [53(01 {ltkm})]      ( ) puts a BER length in front
{rand|lv}  {name|len}  {name[0:4]}
62 ?? 82 02 78 21 *              in patterns: ? any digit, * any bytes
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from card.codec.apdu import MAX_SHORT_LC
from card.codec.tlv import encode_length
from card.crypto.secret import Secret
from host_tools.apdu.pin import pad_pin
from host_tools.script.errors import ExpressionError
from host_tools.script.values import Scope, Value

NAME = r"[a-z][a-z0-9_]{0,31}"
LONGEST_TEXT = 300_000
LONGEST_RESULT = 150_000
"""Bytes that a template may become: as many as the longest text may write out."""
_DEEPEST = 8
_TOKEN = re.compile(
    rf"""
      (?P<space> \s+ )
    | (?P<hex>   (?:[0-9A-Fa-f]{{2}})+ )
    | (?P<open>  [\[(] )
    | (?P<close> [\])] )
    | \{{ (?P<name> {NAME} ) (?: \[ (?P<start> \d{{0,5}} ) : (?P<end> \d{{0,5}} ) \] )?
          (?P<filters> (?: \| [a-z]+ )* ) \}}
    """,
    re.VERBOSE,
)
_CLOSING = {"[": "]", "(": ")"}


@dataclass(frozen=True, slots=True)
class Hex:
    """Bytes as they stand."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Reference:
    """A variable, or a part of it, passed through filters."""

    name: str
    start: int | None = None
    end: int | None = None
    filters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CountedParts:
    """Parts with their length in front: Lc for `[`, a BER length for `(`."""

    opening: str
    parts: tuple[Part, ...]


Part = Hex | Reference | CountedParts


@dataclass(frozen=True, slots=True)
class Template:
    """Parsed notation. `text` is what was written."""

    text: str
    parts: tuple[Part, ...]

    @classmethod
    def parse(cls, text: str) -> Template:
        """Read the notation. Raises `ExpressionError` naming the place."""
        if len(text) > LONGEST_TEXT:
            raise ExpressionError(f"longer than {LONGEST_TEXT} characters")
        return cls(text, tuple(_Parser(text).parts("", 0)))

    @property
    def names(self) -> frozenset[str]:
        """The variables that occur."""
        return frozenset(_names(self.parts))

    def expand(self, scope: Scope) -> Value:
        """Return the bytes with the variables put in; secret if one of them is. Raises `ExpressionError`."""
        return _join(self.parts, scope)


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def parts(self, opening: str, depth: int) -> Iterator[Part]:
        if depth > _DEEPEST:
            raise ExpressionError(f"brackets nested deeper than {_DEEPEST}")
        while self._at < len(self._text):
            match = _TOKEN.match(self._text, self._at)
            if match is None:
                raise ExpressionError(f"cannot read {self._text[self._at : self._at + 12]!r}: hex pairs are wanted")
            self._at = match.end()
            if match["close"]:
                if match["close"] == _CLOSING.get(opening):
                    return
                raise ExpressionError(f"{match['close']!r} closes nothing")
            if match["open"]:
                yield CountedParts(match["open"], tuple(self.parts(match["open"], depth + 1)))
            elif match["hex"]:
                yield Hex(bytes.fromhex(match["hex"]))
            elif match["name"]:
                yield _reference(match)
        if opening:
            raise ExpressionError(f"{opening!r} is never closed")


def _reference(match: re.Match[str]) -> Reference:
    filters = tuple(name for name in match["filters"].split("|") if name)
    unknown = [name for name in filters if name not in _FILTERS]
    if unknown:
        raise ExpressionError(f"there is no filter {unknown[0]!r}; there are: {', '.join(_FILTERS)}")
    limits = [int(match[key]) if match[key] else None for key in ("start", "end")]
    return Reference(match["name"], limits[0], limits[1], filters)


def _names(parts: tuple[Part, ...]) -> Iterator[str]:
    for part in parts:
        match part:
            case Reference(name=name):
                yield name
            case CountedParts(parts=inner):
                yield from _names(inner)
            case Hex():
                pass


def _join(parts: tuple[Part, ...], scope: Scope) -> Value:
    data, secret = bytearray(), False
    for part in parts:
        value = _expand(part, scope)
        if len(data) + len(value.data) > LONGEST_RESULT:
            raise ExpressionError(f"it would have more than {LONGEST_RESULT} bytes")
        data += value.data
        secret |= value.secret
    return Value(bytes(data), secret)


def _expand(part: Part, scope: Scope) -> Value:
    match part:
        case Hex(data=data):
            return Value(data)
        case CountedParts(opening=opening, parts=parts):
            inner = _join(parts, scope)
            return Value(_count(opening, len(inner.data)) + inner.data, inner.secret)
        case Reference(name=name, start=start, end=end, filters=filters):
            value = scope.part(name, start, end)
            data = value.data
            for filter_name in filters:
                data = _FILTERS[filter_name](data)
            return Value(data, value.secret)


def _count(opening: str, size: int) -> bytes:
    if opening == "(":
        return encode_length(size)
    if size <= MAX_SHORT_LC:
        return bytes((size,))
    if size > 0xFFFF:
        raise ExpressionError(f"[ ] holds {size} bytes; 65,535 are the most")
    return b"\x00" + size.to_bytes(2, "big")


def _length(data: bytes) -> bytes:
    if len(data) > MAX_SHORT_LC:
        raise ExpressionError(f"{len(data)} bytes have no one-byte length")
    return bytes((len(data),))


_FILTERS: Mapping[str, Callable[[bytes], bytes]] = {
    "lv": lambda data: _length(data) + data,
    "len": _length,
    "pin": lambda data: pad_pin(Secret(data)),
}
