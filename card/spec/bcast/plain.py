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


def encode_tables(tables: BcastTables) -> bytes:
    """Return the tables as JSON text."""
    plain = asdict(tables)
    for row in plain["spe"]:
        row["confidence"] = row["confidence"].value
    return json.dumps(plain, separators=(",", ":")).encode()


def decode_tables(raw: bytes) -> BcastTables:
    """Return the tables that `encode_tables` wrote; a table younger than the text has its default.

    Raises `ValueError` for anything else.
    """
    try:
        stored = json.loads(raw)
        turned = {"lower_is_stricter": range(256)} if stored.get(_HIGHER_IS_STRICTER) is False else {}
        plain = {**_YOUNGER, **turned, **stored}
        values = {name: plain[name] for name in _NAMES}
        return BcastTables(**{name: _READERS.get(name, _same)(value) for name, value in values.items()})
    except (TypeError, KeyError, AttributeError):
        raise ValueError("not a set of BCAST tables") from None


def _same(value: Any) -> Any:
    return value


def _layout(rows: Any) -> Layout:
    return tuple(FieldRow(row["name"], row["bits"], row["when"], FieldKind(row["kind"])) for row in rows)


def _spe(rows: Any) -> tuple[SpeRow, ...]:
    return tuple(
        SpeRow(
            row["value"],
            row["name"],
            Direction(row["direction"]),
            Debit(row["debit"]),
            Source(row["source"]),
            row["priority"],
            Confidence(row["confidence"]),
        )
        for row in rows
    )


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "ltkm": _layout,
    "stkm": _layout,
    "parental": _layout,
    "spe": _spe,
    "lower_is_stricter": tuple,
    "answers": lambda given: {Reason(name): value for name, value in given.items()},
}
