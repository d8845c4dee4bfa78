"""The plain values that a description of a card is made of, with secrets marked until the last moment.

A description keeps its secrets as `HiddenValue` leaves, so that two cards can be compared whole; `to_plain` turns it
into what people and JSON may see.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import TypeAlias

from card.crypto.secret import Secret

Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"


@dataclass(frozen=True, slots=True)
class HiddenValue:
    """A value that is shown only when asked for. `is_code` marks a PIN or PUK, shown as its digits."""

    secret: Secret
    is_code: bool = False

    def show(self, *, reveal: bool) -> str:
        """Return the bytes in hex, a code's digits, or, without `reveal`, how many bytes there are."""
        if not reveal:
            return f"hidden ({len(self.secret)} bytes)"
        value = self.secret.reveal()
        digits = value.rstrip(b"\xff")
        return digits.decode("ascii") if self.is_code and digits.isdigit() else to_hex(value)


Value: TypeAlias = "bool | int | float | str | HiddenValue | list[Value] | dict[str, Value] | None"
Description: TypeAlias = dict[str, Value]


def to_hex(data: bytes) -> str:
    """Return upper-case hex without spaces, as all descriptions show bytes."""
    return data.hex().upper()


def to_value(item: object) -> Value:
    """Turn a record or a decoded file content into a value: bytes into hex, `Secret` into `HiddenValue`.

    Fields of a record that are None are left out.
    """
    match item:
        case Secret():
            return HiddenValue(item)
        case bytes():
            return to_hex(item)
        case Enum():
            return to_value(item.value)
        case None | bool() | int() | float() | str():
            return item
        case Mapping():
            return {str(to_value(key)): to_value(value) for key, value in item.items()}
        case list() | tuple():
            return [to_value(part) for part in item]
        case set() | frozenset():
            return [to_value(part) for part in sorted(item)]
        case _ if is_dataclass(item) and not isinstance(item, type):
            return _record(item)
        case _:
            return f"({type(item).__name__})"


def to_plain(value: Value, *, reveal: bool) -> Plain:
    """Replace every `HiddenValue` by text: what it hides, or only its length."""
    match value:
        case HiddenValue():
            return value.show(reveal=reveal)
        case dict():
            return {key: to_plain(part, reveal=reveal) for key, part in value.items()}
        case list():
            return [to_plain(part, reveal=reveal) for part in value]
        case _:
            return value


def numbered(parts: Iterable[Value | None]) -> dict[str, Value]:
    """Return the values by number, counted from 1 like a file's records, without those that are None."""
    return {str(number): part for number, part in enumerate(parts, 1) if part is not None}


def _record(record: object) -> dict[str, Value]:
    # What a record makes of its own fields is not shown again.
    shown = [field for field in fields(record) if field.init]  # type: ignore[arg-type]  # the caller knows it is one
    values = {field.name: getattr(record, field.name) for field in shown}
    return {name: to_value(value) for name, value in values.items() if value is not None}
