"""What a field may hold: parsers, each with the text that tells a person what is allowed.

A parser takes the value TOML gave and returns the value the program uses, or raises `ValueError`. Only the message of
a `RefusedError` is ever told: that of another error might quote a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)
_T = TypeVar("_T")
_E = TypeVar("_E", bound=Enum)


class RefusedError(ValueError):
    """A value is refused for a reason worth telling. The text never holds the value of a secret."""


class OutOfRange(ValueError):
    """A number is of the right kind and too small or too large. The text says which are allowed: from A to B."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[T_co]):
    """A single value: how to parse it, and what to say when it cannot be."""

    allowed: str
    parse: Callable[[object], T_co]
    secret: bool = False


def as_text(value: object) -> str:
    """Return `value` if it is text, else raise `ValueError`."""
    if not isinstance(value, str):
        raise ValueError("text wanted")
    return value


def as_number(value: object) -> float:
    """Return `value` if it is a number, whole or not, else raise `ValueError`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a number wanted")
    return value


def _as_flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("not a flag")
    return value


def _as_moment(value: object) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError("no moment")
    return value


FLAG = Kind("true or false", _as_flag)
TEXT = Kind("text in quotes", as_text)
MOMENT = Kind("a date and time with zone, such as 2026-11-21T12:00:00Z", _as_moment)


def matching(pattern: str, allowed: str) -> Kind[str]:
    """Text that matches the whole of `pattern`."""
    expression = re.compile(pattern)

    def parse(value: object) -> str:
        text = as_text(value)
        if not expression.fullmatch(text):
            raise ValueError("no match")
        return text

    return Kind(allowed, parse)


def printable(least: int, most: int) -> Kind[str]:
    """Printable text of `least` to `most` characters."""

    def parse(value: object) -> str:
        text = as_text(value)
        if not (least <= len(text) <= most and text.isprintable()):
            raise ValueError("wrong length or control characters")
        return text

    return Kind(f"printable text of {least} to {most} characters", parse)


def integer(least: int, most: int, allowed: str = "") -> Kind[int]:
    """An integer from `least` to `most`."""

    def parse(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError("no integer")
        if not least <= value <= most:
            raise OutOfRange(f"from {least} to {most}")
        return value

    return Kind(allowed or f"an integer from {least} to {most}", parse)


def number(least: float, most: float, allowed: str) -> Kind[float]:
    """A number from `least` to `most`, whole or not."""

    def parse(value: object) -> float:
        if not least <= as_number(value) <= most:
            raise OutOfRange(f"from {least:g} to {most:g}")
        return as_number(value)

    return Kind(allowed, parse)


def choice(options: type[_E], *reserved: str) -> Kind[_E]:
    """One of the texts that are the values of an `Enum`; `reserved` texts are refused as not supported."""

    def parse(value: object) -> _E:
        if value in reserved:
            raise RefusedError("which is reserved but not supported by this version")
        return options(as_text(value))

    return Kind(", ".join(f'"{option.value}"' for option in options), parse)


def one_of(options: Sequence[str]) -> Kind[str]:
    """One of these texts."""

    def parse(value: object) -> str:
        if as_text(value) not in options:
            raise ValueError("not one of them")
        return as_text(value)

    return Kind("one of " + ", ".join(options), parse)


def parsed(allowed: str, convert: Callable[[str], _T]) -> Kind[_T]:
    """Text that `convert` turns into a value of its own, raising `ValueError`."""
    return Kind(allowed, lambda value: convert(as_text(value)))
