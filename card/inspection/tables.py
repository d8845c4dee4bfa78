"""Describes what a card keeps besides its files: applications, PINs, sequence numbers, GBA and MBMS keys.

A table this module does not know is described too; everything in it that could be a secret is then hidden.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from card.codec.access_words import key_name
from card.crypto.secret import Secret
from card.domain.application import StoredApplication, StoredCsim
from card.domain.authentication.gba import StoredBootstrap, StoredNafKey
from card.domain.keys.bcmcs import StoredBak
from card.domain.keys.freshness import LastMessage
from card.domain.keys.mbms import StoredMsk, StoredMuk
from card.domain.pin import StoredPin
from card.errors import StoreError
from card.inspection.values import Description, HiddenValue, Value, to_hex, to_value
from card.state.nonvolatile import NonVolatile
from card.state.stored import StoredTable
from card.store.memory import MemoryStore

SQN_SIZE = 6
_FILE_TABLES = frozenset({"fs", "ef", "lcs", "tlv"})
_UNREADABLE: Mapping[str, Value] = {"problem": "the record cannot be read"}


@dataclass(frozen=True, slots=True)
class TableRow:
    """One kind of table: first part of its keys, name in a description, and the type of its records.

    Without a type, `decode` reads the bytes, all of which may be shown.
    """

    prefix: str
    name: str
    record_type: type[Any] | None = None
    decode: Callable[[bytes], Value] = to_hex


def _decode_sequence_numbers(stored: bytes) -> Value:
    """Return the highest SQN and that of each IND which was used (see `card.domain.authentication.sqn`)."""
    values = [stored[start : start + SQN_SIZE] for start in range(0, len(stored), SQN_SIZE)]
    names = ("highest", *(str(ind) for ind in range(len(values))))
    return {name: to_hex(value) for name, value in zip(names, values, strict=False) if any(value)}


TABLES: tuple[TableRow, ...] = (
    TableRow("card", "card"),
    TableRow("app", "applications", StoredApplication),
    TableRow("pin", "pins", StoredPin),
    TableRow("sqn", "sequence numbers", decode=_decode_sequence_numbers),
    TableRow("gba", "bootstrapping", StoredBootstrap),
    TableRow("naf", "NAF keys", StoredNafKey),
    TableRow("muk", "MUKs", StoredMuk),
    TableRow("msk", "MSKs", StoredMsk),
    TableRow("heard", "counters of MSKs", LastMessage),
    TableRow("heard-muk", "counters of deleted MUKs", LastMessage),
    TableRow("csim", "CSIM", StoredCsim),
    TableRow("bak", "BAKs", StoredBak),
    TableRow("spe", "policies"),
)


def describe_tables(nv: NonVolatile, keys: list[str]) -> Description:
    """Return every record outside the file system, nested as its key is: table, application, name."""
    rows = {row.prefix: row for row in TABLES}
    described: Description = {row.name: {} for row in TABLES}
    for key in sorted(keys):
        prefix, *middle, name = key.split("/")
        if prefix in _FILE_TABLES:
            continue
        row = rows.get(prefix)
        place = _descend(described, [row.name if row else prefix or key, *middle])
        place[name] = _describe_unknown(nv.get(key) or b"") if row is None else _describe_known(nv, key, row)
    return {name: records for name, records in described.items() if records}


def _descend(described: Description, path: list[str]) -> Description:
    for part in path:
        inner = described.setdefault(part, {})
        if not isinstance(inner, dict):  # a record and a table with one name: only in a damaged card file
            inner = described[part] = {}
        described = inner
    return described


def _describe_known(nv: NonVolatile, key: str, row: TableRow) -> Value:
    if row.record_type is None:
        return row.decode(nv.get(key) or b"")
    prefix, name = key[: key.rfind("/") + 1], key[key.rfind("/") + 1 :]
    try:
        # A memory of its own, so that one damaged record does not hide the others of its table.
        alone = NonVolatile(MemoryStore({key: nv.get(key) or b""}))
        record = StoredTable(alone, prefix, row.record_type).get(name)
    except StoreError:
        return dict(_UNREADABLE)
    return _describe_pin(record) if isinstance(record, StoredPin) else to_value(record)


def _describe_pin(pin: StoredPin) -> Value:
    described: Description = {"name": key_name(pin.reference), "value": HiddenValue(pin.value, is_code=True)}
    described.update(enabled=pin.enabled, tries_left=pin.tries_left, max_tries=pin.max_tries)
    if pin.puk is not None:
        described["puk"] = HiddenValue(pin.puk, is_code=True)
        described.update(puk_tries_left=pin.puk_tries_left, puk_max_tries=pin.puk_max_tries)
    return described


def _describe_unknown(raw: bytes) -> Value:
    try:
        return _guarded(json.loads(raw, parse_constant=_refuse))
    except (ValueError, RecursionError):
        return HiddenValue(Secret(raw))


def _guarded(value: Any) -> Value:
    """Keep numbers and flags, hide every text: a record of unknown type does not say which of its texts are keys."""
    match value:
        case dict():
            return {key: _guarded(part) for key, part in value.items()}
        case list():
            return [_guarded(part) for part in value]
        case str():
            return HiddenValue(Secret(_bytes_of(value)))
        case _:
            return value  # type: ignore[no-any-return]  # a number, a flag or null


def _bytes_of(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return text.encode("utf-8", "surrogatepass")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
