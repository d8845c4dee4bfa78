"""The shapes of a card profile, and what its fields may hold beside the kinds that all files have.

The schema names one of these shapes for every field (`Annotated[str, IMSI]`); the loader and the error messages read
that one row.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from card.crypto.secret import Secret
from card.tables.kinds import Kind, RefusedError, as_text

_SPACE = re.compile(r"[ \t\n]+")
_HEX = re.compile(r"[0-9A-Fa-f]*")
_DIGITS = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose fields are those of the dataclass `shape`."""

    shape: type[object]


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of at most `at_most` values or tables of one kind; becomes a tuple."""

    item: Kind[object] | Table
    at_most: int


@dataclass(frozen=True, slots=True)
class MapOf:
    """A table with any of the keys `names`, each a value of one kind; becomes a dictionary."""

    names: tuple[str, ...]
    item: Kind[object]


@dataclass(frozen=True, slots=True)
class ReservedName:
    """A name kept for a later version; using it is an error that says so."""

    purpose: str


Spec = Kind[object] | Table | ListOf | MapOf | ReservedName


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


def hex_bytes(least: int, most: int, *, secret: bool = False) -> Kind[bytes]:
    """Hex text for `least` to `most` bytes; spaces between digits are allowed."""
    span = f"{least}" if least == most else f"{least} to {most}"
    return Kind(f"hex digits for {span} bytes", lambda value: _parse_sized_hex(value, least, most), secret)


def secret_hex(*sizes: int) -> Kind[Secret]:
    """Hex text for a key of one of these sizes in bytes; becomes a `Secret`."""
    allowed = " or ".join(f"{2 * size} hex digits ({size} bytes)" for size in sizes)

    def parse(value: object) -> Secret:
        data = _parse_sized_hex(value, min(sizes), max(sizes))
        if len(data) not in sizes:
            raise RefusedError(f"with {2 * len(data)} hex digits")
        return Secret(data)

    return Kind(allowed, parse, secret=True)


def secret_code(least: int, most: int, *, hex_too: bool = False) -> Kind[Secret]:
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
