"""Writes a set of tables as JSON and reads it back, so that a card file carries the tables it was personalised with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any

from card.spec.bcast.p1 import P1
from card.spec.bcast.tables import (
    BcastTables,
    Debit,
    Direction,
    FieldKind,
    FieldRow,
    Layout,
    Reason,
    Source,
    SpeRow,
)
from card.spec.refs import Confidence

_NAMES = [field.name for field in fields(BcastTables)]
_YOUNGER: Mapping[str, Any] = {
    "protection": P1.protection,
    "lower_is_stricter": P1.lower_is_stricter,
    "unrated_is_held": P1.unrated_is_held,
}
"""Tables that card files of the first releases lack, and what they stand for there."""
_HIGHER_IS_STRICTER = "higher_is_stricter"
"""Of card files of the first releases, for all types of rating. Where it was false, somebody had turned it round."""

_LATER: Mapping[str, set[str]] = {"audit_tags": {"service_purse"}}
"""Names in tables that card files of the first releases lack, and do without."""
_MOST = 0xFFFF


def encode_tables(tables: BcastTables) -> bytes:
    """Return the tables as JSON text."""
    plain = asdict(tables)
    for row in plain["spe"]:
        row["confidence"] = row["confidence"].value
    return json.dumps(plain, separators=(",", ":")).encode()


def decode_tables(raw: bytes) -> BcastTables:
    """Return the tables that `encode_tables` wrote; a table younger than the text has its default.

    Raises `ValueError` for anything else, also where a value is of another type or has no name of ours. Whether the
    tables can work is another question (`card.spec.bcast.check`).
    """
    try:
        stored = json.loads(raw)
        turned = {"lower_is_stricter": range(256)} if stored.get(_HIGHER_IS_STRICTER) is False else {}
        plain = {**_YOUNGER, **turned, **stored}
        values = {name: plain[name] for name in _NAMES}
        return BcastTables(**{name: _READERS[name](value) for name, value in values.items()})
    except (TypeError, KeyError, AttributeError):
        raise ValueError("not a set of BCAST tables") from None


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= _MOST:
        raise ValueError("not a number of two bytes")
    return value


def _byte(value: Any) -> int:
    if _number(value) > 0xFF:
        raise ValueError("not a number of one byte")
    return _number(value)


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError("neither true nor false")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")
    return value


def _named(table: str, read: Callable[[Any], int] = _number) -> Callable[[Any], Mapping[str, int]]:
    """Return what reads a table of numbers by name, with the very names that the default set has."""
    wanted = set(getattr(P1, table))

    def reader(given: Any) -> Mapping[str, int]:
        if wanted - set(given) - _LATER.get(table, set()) or set(given) - wanted:
            raise ValueError(f"{table} lacks a name, or has one too many")
        return {name: read(value) for name, value in given.items()}

    return reader


def _answers(given: Any) -> Mapping[Reason, int]:
    if set(given) != set(Reason):
        raise ValueError("answers lacks a reason, or has one too many")
    return {Reason(name): _number(value) for name, value in given.items()}


def _layout(rows: Any) -> Layout:
    return tuple(
        FieldRow(_text(row["name"]), _number(row["bits"]), _text(row["when"]), FieldKind(row["kind"])) for row in rows
    )


def _spe(rows: Any) -> tuple[SpeRow, ...]:
    return tuple(
        SpeRow(
            _number(row["value"]),
            _text(row["name"]),
            Direction(row["direction"]),
            Debit(row["debit"]),
            Source(row["source"]),
            _number(row["priority"]),
            Confidence(row["confidence"]),
        )
        for row in rows
    )


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "name": _text,
    "ltkm": _layout,
    "stkm": _layout,
    "parental": _layout,
    "spe": _spe,
    "answers": _answers,
    "descriptors": _named("descriptors", _byte),
    "response_tags": _named("response_tags"),
    "audit_tags": _named("audit_tags"),
    "modes": _named("modes", _byte),
    "properties": _named("properties", _byte),
    "capacity": _named("capacity"),
    "protection": _named("protection", _byte),
    "pin_reference": _byte,
    "identity_with_validity": _flag,
    "lower_is_stricter": lambda given: tuple(map(_byte, given)),
    "unrated_is_held": _flag,
    "service_purse": _flag,
    "secure_channel": _flag,
}
