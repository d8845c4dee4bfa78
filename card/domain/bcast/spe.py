"""The policy records (SPE records) of the keys, and how they are kept: all records of one key in one value.

They are packed, not JSON like other records: an STKM that pays from a record's counter changes one row in place, so
that a key with 32 records costs hardly more than a key with one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from card.errors import StoreError
from card.lean import lean_dataclass
from card.spec.bcast.tables import BcastTables, Direction, SpeRow
from card.state.nonvolatile import NonVolatile

_ROW = struct.Struct(">B7IH7?")


@lean_dataclass(frozen=True, slots=True)
class StoredSpe:
    """One policy of one key; the order of the fields is that of the stored row.

    `lower` and `upper` bound STKM timestamps, both inclusive. `counter` is the play-back or the TEK counter, whichever
    the SPE is paid from. `last_ts` and `last_mtk` are those of the last STKM granted by a play-back record while
    `playing`; `paid` says that a price due once was paid.
    """

    spe: int
    lower: int
    upper: int
    cost: int = 0
    counter: int = 0
    binding_key_id: int = 0
    last_ts: int = 0
    serial: int = 0
    last_mtk: int = 0
    terminal_binding: bool = False
    consumption_reporting: bool = False
    access_criteria: bool = False
    keep_credit: bool = False
    recorded: bool = False
    paid: bool = False
    playing: bool = False

    def encode(self) -> bytes:
        """Return the stored row."""
        # Written out: every STKM that a record pays for comes by here, and generic ways cost three times as much.
        return _ROW.pack(
            self.spe, self.lower, self.upper, self.cost, self.counter, self.binding_key_id, self.last_ts, self.serial,
            self.last_mtk, self.terminal_binding, self.consumption_reporting, self.access_criteria, self.keep_credit,
            self.recorded, self.paid, self.playing,
        )  # fmt: skip


@lean_dataclass(frozen=True, slots=True)
class KeyPolicies:
    """All records of one key: the live ones, then those for play-back, each in the order in which they pay where due.

    `rows` are the table rows of their SPEs; `raw` is the stored value.
    """

    records: tuple[StoredSpe, ...]
    rows: tuple[SpeRow, ...]
    first_playback: int
    raw: bytes

    def places(self, direction: Direction) -> range:
        """Return the indices of the records for a direction."""
        if direction is Direction.LIVE:
            return range(self.first_playback)
        return range(self.first_playback, len(self.records))


NO_POLICIES = KeyPolicies((), (), 0, b"")


class PolicyTable:
    """The policy records of one application, by key."""

    def __init__(self, nv: NonVolatile, application: str, tables: BcastTables) -> None:
        self._nv = nv
        self._prefix = f"spe/{application}/"
        self._tables = tables
        self._rows = {row.value: row for row in tables.spe}
        self._cache: dict[str, KeyPolicies] = {}

    def row(self, record: StoredSpe) -> SpeRow:
        """Return the table row of a record's SPE."""
        return self._rows[record.spe]

    def find(self, name: str) -> KeyPolicies | None:
        """Return the records of a key by its name (`mbms.msk_name`), or None. Raises `StoreError`."""
        raw = self._nv.get(self._prefix + name)
        if raw is None:
            return None
        cached = self._cache.get(name)
        if cached is None or cached.raw is not raw:
            cached = self._cache[name] = self._decode(name, raw)
        return cached

    def items(self) -> Iterator[tuple[str, KeyPolicies]]:
        """Yield name and records of every key that has some."""
        for key in self._nv.keys(self._prefix):
            name = key[len(self._prefix) :]
            policies = self.find(name)
            if policies is not None:
                yield name, policies

    def replace(self, name: str, records: Iterable[StoredSpe]) -> None:
        """Write all records of a key; none removes it."""
        ordered = sorted(records, key=self._payment_order)
        if ordered:
            self._nv.put(self._prefix + name, b"".join(record.encode() for record in ordered))
        else:
            self._nv.delete(self._prefix + name)

    def update(self, name: str, policies: KeyPolicies, index: int, record: StoredSpe) -> None:
        """Write one record in place; SPE and validity must be those it had."""
        start = index * _ROW.size
        raw = policies.raw[:start] + record.encode() + policies.raw[start + _ROW.size :]
        records = (*policies.records[:index], record, *policies.records[index + 1 :])
        self._nv.put(self._prefix + name, raw)
        if self._nv.get(self._prefix + name) is raw:
            self._cache[name] = KeyPolicies(records, policies.rows, policies.first_playback, raw)

    def count(self) -> int:
        """Return the number of records of all keys."""
        return sum(len(policies.records) for _, policies in self.items())

    def _payment_order(self, record: StoredSpe) -> tuple[bool, int, int, int]:
        """Live first, then by priority; of equals the one that ends first, then the one stored first."""
        row = self.row(record)
        return row.direction is Direction.PLAYBACK, row.priority, record.upper, record.serial

    def _decode(self, name: str, raw: bytes) -> KeyPolicies:
        try:
            records = tuple(StoredSpe(*values) for values in _ROW.iter_unpack(raw))
            rows = tuple(self.row(record) for record in records)
        except (struct.error, KeyError):
            raise StoreError(f"card file: the policy records {name} cannot be read") from None
        return KeyPolicies(records, rows, sum(row.direction is Direction.LIVE for row in rows), raw)
