"""Typed records in the non-volatile memory.

A record is a frozen dataclass of simple fields, stored as JSON text: a card file can be read by eye, compared line by
line and migrated by field name. Secrets are text in the file, as on any test card, and nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cache
from operator import attrgetter
from types import NoneType
from typing import Any, Generic, TypeVar, cast, get_args, get_origin, get_type_hints

from card.crypto.secret import Secret
from card.errors import StoreError
from card.spec.files.rows import Structure
from card.state.nonvolatile import NonVolatile

T = TypeVar("T")

# Made once: json.dumps with other than its own separators would make an encoder each time.
_write_json = json.JSONEncoder(separators=(",", ":")).encode
# The JSON text of a field by its type; a type that is missing here is left to the encoder. Two records change with
# every STKM, and their numbers need none.
_TO_TEXT: dict[Any, Callable[[Any], str]] = {
    bytes: lambda value: f'"{value.hex()}"',
    Secret: lambda secret: f'"{secret.reveal().hex()}"',
    int: int.__repr__,
    bool: ("false", "true").__getitem__,
}
_LAST = (bytes, Secret)  # these stand behind all others
_FROM_JSON: dict[Any, Callable[[Any], Any]] = {
    bytes: bytes.fromhex,
    Secret: lambda text: Secret(bytes.fromhex(text)),
    Structure: Structure,
}
# What each field type looks like in JSON; exact types, because true and false count as numbers in Python.
_IN_JSON: dict[Any, type] = {
    bytes: str, Secret: str, Structure: str, str: str, int: int, bool: bool, dict: dict, list: list, tuple: list,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the fields of a record type are; looked up once, as each card opens some forty tables."""

    kinds: dict[str, Any]
    optional: frozenset[str]
    writers: Sequence[tuple[Callable[[Any], Any], Callable[[Any], str]]]
    """How each field is taken from a record and written, in the order of `template`."""
    template: str


@cache
def _shape_of(record_type: Any) -> _Shape:
    """Return the shape of a record type, a dataclass."""
    hints = get_type_hints(record_type)
    names = [field.name for field in fields(record_type) if field.init]
    optional = frozenset(name for name in names if NoneType in get_args(hints[name]))
    kinds = {name: _without_none(hints[name]) for name in names}
    ordered = sorted(kinds.items(), key=lambda field: field[1] in _LAST)
    writers = [(attrgetter(name), _writer(kind, name in optional)) for name, kind in ordered]
    return _Shape(kinds, optional, writers, "{" + ",".join(f'"{name}":%s' for name, _ in ordered) + "}")


class StoredTable(Generic[T]):
    """Records of one type under one key prefix, e.g. `msk/USIM/`. Decoded values are kept as long as the bytes stay.

    All that are stored are decoded at once, so that a damaged one is noticed when the card is opened, not when a
    command needs it.
    """

    __slots__ = ("_cache", "_fields", "_kinds", "_nv", "_optional", "_template", "_type", "prefix")

    def __init__(self, nv: NonVolatile, prefix: str, record_type: type[T]) -> None:
        """Take the memory, the prefix and the type. Raises `StoreError` when a record cannot be read."""
        self._nv = nv
        self._type = record_type
        self.prefix = prefix
        shape = _shape_of(cast(Any, record_type))
        self._kinds, self._optional = shape.kinds, shape.optional
        self._fields, self._template = shape.writers, shape.template
        self._cache: dict[str, tuple[bytes, T]] = {}
        for _ in self.items():
            pass

    def get(self, name: str) -> T | None:
        """Return the record, or None."""
        return self._at(self.prefix + name)

    def _at(self, key: str) -> T | None:
        raw = self._nv.get(key)
        if raw is None:
            return None
        cached = self._cache.get(key)
        if cached is not None and cached[0] is raw:
            return cached[1]
        record = self._decode(key, raw)
        self._cache[key] = (raw, record)
        return record

    def put(self, name: str, record: T) -> None:
        """Write a record."""
        key = self.prefix + name
        raw = self._encode(record)
        self._nv.put(key, raw)
        if self._nv.get(key) is raw:
            self._cache[key] = (raw, record)

    def delete(self, name: str) -> None:
        """Remove a record; removing an absent one is harmless."""
        self._nv.delete(self.prefix + name)

    def items(self) -> Iterator[tuple[str, T]]:
        """Yield name and record, in order of the names."""
        for key in self._nv.keys(self.prefix):
            record = self._at(key)
            if record is not None:
                yield key[len(self.prefix) :], record

    def values(self) -> Iterator[T]:
        """Yield the records, in order of their names."""
        for key in self._nv.keys(self.prefix):
            record = self._at(key)
            if record is not None:
                yield record

    def _encode(self, record: T) -> bytes:
        return (self._template % tuple([write(get(record)) for get, write in self._fields])).encode()

    def _decode(self, key: str, raw: bytes) -> T:
        try:
            plain = json.loads(raw)
            values = {name: self._field(name, kind, plain[name]) for name, kind in self._kinds.items() if name in plain}
            return self._type(**values)
        except (ValueError, TypeError, KeyError, RecursionError):
            pass
        # Raised out here, where no other exception stands behind it: that one could show the record's bytes.
        raise StoreError(f"card file: record {key} cannot be read")

    def _field(self, name: str, kind: Any, plain: Any) -> Any:
        """Return the value of a field. Raises `ValueError`, `TypeError` where JSON holds something else."""
        if plain is None and name in self._optional:
            return None
        wanted = _IN_JSON.get(get_origin(kind) or kind)
        if wanted is not None and type(plain) is not wanted:
            raise TypeError
        inner = _IN_JSON.get(get_args(kind)[-1]) if isinstance(plain, dict) and get_args(kind) else None
        if inner is not None and not all(type(value) is inner for value in plain.values()):
            raise TypeError
        return _FROM_JSON[kind](plain) if kind in _FROM_JSON else plain


def _writer(kind: Any, optional: bool) -> Callable[[Any], str]:
    """Return what writes a field of a type, which may be missing, as JSON text."""
    write = _TO_TEXT.get(kind, _write_json)
    return (lambda value: "null" if value is None else write(value)) if optional else write


def _without_none(hint: Any) -> Any:
    """Return the type of a field that may be missing, or any other as it is."""
    kinds = [kind for kind in get_args(hint) if kind is not NoneType]
    return kinds[0] if NoneType in get_args(hint) and len(kinds) == 1 else hint
