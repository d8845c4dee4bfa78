"""What a field of a card profile may hold: parsers, each with the text that tells a person what is allowed.

The schema names one of these shapes for every field (`Annotated[str, IMSI]`); the loader and the error
messages read that one row. A parser takes the value TOML gave and returns the value the card uses, or raises
`ValueError`, whose message is ignored because it might quote a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from card.crypto.secret import Secret

_SPACE = re.compile(r"[ \t\n]+")
_HEX = re.compile(r"[0-9A-Fa-f]*")
_DIGITS = re.compile(r"[0-9]+")


class RefusedError(ValueError):
    """A value is refused for a reason worth telling. The text never holds the value of a secret."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A single value: how to parse it, and what to say when it cannot be."""

    allowed: str
    parse: Callable[[object], object]
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose fields are those of the dataclass `shape`."""

    shape: type[object]


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of at most `at_most` values or tables of one kind; becomes a tuple."""

    item: Kind | Table
    at_most: int


@dataclass(frozen=True, slots=True)
class MapOf:
    """A table with any of the keys `names`, each a value of one kind; becomes a dictionary."""

    names: tuple[str, ...]
    item: Kind


@dataclass(frozen=True, slots=True)
class Reserved:
    """A name kept for a later version; using it is an error that says so."""

    purpose: str


Spec = Kind | Table | ListOf | MapOf | Reserved


def as_text(value: object) -> str:
    """Return `value` if it is text, else raise `ValueError`."""
    if not isinstance(value, str):
        raise ValueError("text wanted")
    return value


def matching(pattern: str, allowed: str) -> Kind:
    """Text that matches the whole of `pattern`."""
    expression = re.compile(pattern)

    def parse(value: object) -> str:
        text = as_text(value)
        if not expression.fullmatch(text):
            raise ValueError("no match")
        return text

    return Kind(allowed, parse)


def printable(least: int, most: int) -> Kind:
    """Printable text of `least` to `most` characters."""

    def parse(value: object) -> str:
        text = as_text(value)
        if not (least <= len(text) <= most and text.isprintable()):
            raise ValueError("wrong length or control characters")
        return text

    return Kind(f"printable text of {least} to {most} characters", parse)


def parse_hex(value: object) -> bytes:
    """Return the bytes that hex text stands for; spaces and line breaks between digits are allowed."""
    text = _SPACE.sub("", as_text(value))
    if not _HEX.fullmatch(text):
        raise RefusedError("with characters that are not hex digits")
    if len(text) % 2:
        raise RefusedError(f"with {len(text)} hex digits, an odd number")
    return bytes.fromhex(text)


def _parse_sized_hex(value: object, least: int, most: int) -> bytes:
    data = parse_hex(value)
    if not least <= len(data) <= most:
        raise RefusedError(f"with {2 * len(data)} hex digits")
    return data


def hex_bytes(least: int, most: int, *, secret: bool = False) -> Kind:
    """Hex text for `least` to `most` bytes; spaces between digits are allowed."""
    span = f"{least}" if least == most else f"{least} to {most}"
    return Kind(f"hex digits for {span} bytes", lambda value: _parse_sized_hex(value, least, most), secret)


def secret_hex(*sizes: int) -> Kind:
    """Hex text for a key of one of these sizes in bytes; becomes a `Secret`."""
    allowed = " or ".join(f"{2 * size} hex digits ({size} bytes)" for size in sizes)

    def parse(value: object) -> Secret:
        data = _parse_sized_hex(value, min(sizes), max(sizes))
        if len(data) not in sizes:
            raise RefusedError(f"with {2 * len(data)} hex digits")
        return Secret(data)

    return Kind(allowed, parse, secret=True)


def secret_code(least: int, most: int, *, hex_too: bool = False) -> Kind:
    """A PIN, PUK or ADM code of `least` to `most` decimal digits.

    Becomes a `Secret` of the eight bytes that VERIFY carries: ASCII digits filled up with FF (TS 102 221
    clause 9.5.1). With `hex_too`, 16 hex digits stand for the eight bytes themselves.
    """

    def parse(value: object) -> Secret:
        text = as_text(value)
        if hex_too and len(text) == 16:
            return Secret(parse_hex(text))
        if not (least <= len(text) <= most and _DIGITS.fullmatch(text)):
            raise ValueError("not a code")
        return Secret(text.encode("ascii").ljust(8, b"\xff"))

    span = f"{least}" if least == most else f"{least} to {most}"
    other = ", or 16 hex digits (8 bytes)" if hex_too else ""
    return Kind(f"text of {span} decimal digits{other}", parse, secret=True)


def integer(least: int, most: int, allowed: str = "") -> Kind:
    """An integer from `least` to `most`."""

    def parse(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError("not in range")
        return value

    return Kind(allowed or f"an integer from {least} to {most}", parse)


def _parse_flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("not a flag")
    return value


FLAG = Kind("true or false", _parse_flag)


def choice(options: type[Enum], *reserved: str) -> Kind:
    """One of the texts that are the values of an `Enum`; `reserved` texts are refused as not supported."""

    def parse(value: object) -> Enum:
        if value in reserved:
            raise RefusedError("which is reserved but not supported by this version")
        return options(as_text(value))

    return Kind(", ".join(f'"{option.value}"' for option in options), parse)


def parsed(allowed: str, convert: Callable[[str], object]) -> Kind:
    """Text that `convert` turns into a value of its own, raising `ValueError`."""
    return Kind(allowed, lambda value: convert(as_text(value)))
