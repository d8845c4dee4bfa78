"""The OMA BCAST part of a card profile: a named set of tables, switches, the parental PIN, and overrides of any table.

Whoever holds the specification or a physical card matches it here, without a change of code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Annotated, Any

from card.profile.fields import ListOf, MapOf, Table
from card.profile.loader import Fault
from card.profile.pins import PinProfile
from card.spec.bcast.check import problems
from card.spec.bcast.p1 import P1
from card.spec.bcast.tables import BcastTables, Debit, Direction, FieldKind, FieldRow, Reason, Source, SpeRow
from card.spec.bcast.x2 import X2
from card.spec.refs import Confidence
from card.tables.kinds import FLAG, choice, integer, matching, printable

_NAME = matching(r"[a-z0-9_]{1,64}", "small letters, digits and underscores")
_TAG = integer(0, 0xFFFF)
_BYTE = integer(0, 0xFF)
_MOST_RECORDS = 512


class TableSet(Enum):
    """The sets of tables that ship with the package."""

    P1 = "P1"
    X2 = "X2"


SETS: Mapping[TableSet, BcastTables] = {TableSet.P1: P1, TableSet.X2: X2}


@dataclass(frozen=True, slots=True)
class FieldProfile:
    """One field of a layout; see `card.spec.bcast.tables.FieldRow`."""

    name: Annotated[str, _NAME]
    bits: Annotated[int, integer(1, 32)]
    when: Annotated[str, matching(r"[a-z0-9_]{0,64}", "the name of an earlier field")] = ""
    kind: Annotated[FieldKind, choice(FieldKind)] = FieldKind.NUMBER


@dataclass(frozen=True, slots=True)
class SpeProfile:
    """One value of the security policy extension; see `card.spec.bcast.tables.SpeRow`."""

    number: Annotated[int, _BYTE]
    name: Annotated[str, printable(1, 64)]
    direction: Annotated[Direction, choice(Direction)]
    debit: Annotated[Debit, choice(Debit)] = Debit.NEVER
    source: Annotated[Source, choice(Source)] = Source.NOTHING
    priority: Annotated[int, _BYTE] = 50


_LAYOUT = ListOf(Table(FieldProfile), 64)


@dataclass(frozen=True, slots=True)
class TablesProfile:
    """Overrides: a layout or the list of SPE values replaces the whole table, a map replaces the values it names."""

    ltkm: Annotated[tuple[FieldProfile, ...], _LAYOUT] = ()
    stkm: Annotated[tuple[FieldProfile, ...], _LAYOUT] = ()
    parental: Annotated[tuple[FieldProfile, ...], _LAYOUT] = ()
    spe: Annotated[tuple[SpeProfile, ...], ListOf(Table(SpeProfile), 256)] = ()
    answers: Annotated[Mapping[str, int] | None, MapOf(tuple(Reason), integer(0, 0xFFFF))] = None
    descriptors: Annotated[Mapping[str, int] | None, MapOf(tuple(P1.descriptors), _BYTE)] = None
    response_tags: Annotated[Mapping[str, int] | None, MapOf(tuple(P1.response_tags), _TAG)] = None
    audit_tags: Annotated[Mapping[str, int] | None, MapOf(tuple(P1.audit_tags), integer(1, 0xFFFF))] = None
    modes: Annotated[Mapping[str, int] | None, MapOf(tuple(P1.modes), _BYTE)] = None
    properties: Annotated[Mapping[str, int] | None, MapOf(tuple(P1.properties), _BYTE)] = None
    capacity: Annotated[Mapping[str, int] | None, MapOf(tuple(P1.capacity), integer(1, _MOST_RECORDS))] = None
    protection: Annotated[Mapping[str, int] | None, MapOf(tuple(P1.protection), _BYTE)] = None
    pin_reference: Annotated[int | None, integer(0x82, 0x88)] = None
    identity_with_validity: Annotated[bool | None, FLAG] = None
    lower_is_stricter: Annotated[tuple[int, ...] | None, ListOf(_BYTE, 256)] = None
    unrated_is_held: Annotated[bool | None, FLAG] = None

    def apply(self, tables: BcastTables) -> BcastTables:
        """Return the tables with what this overrides."""
        changes: dict[str, Any] = {}
        for field in fields(self):
            given = getattr(self, field.name)
            if given is None or (given == () and field.default == ()):
                continue
            changes[field.name] = self._converted(field.name, given, getattr(tables, field.name))
        return replace(tables, **changes)

    def _converted(self, name: str, given: Any, old: Any) -> Any:
        match name:
            case "ltkm" | "stkm" | "parental":
                return tuple(FieldRow(row.name, row.bits, row.when, row.kind) for row in given)
            case "spe":
                return tuple(
                    SpeRow(row.number, row.name, row.direction, row.debit, row.source, row.priority, Confidence.OURS)
                    for row in given
                )
            case "answers":
                return {**old, **{Reason(key): value for key, value in given.items()}}
            case _:
                return {**old, **given} if isinstance(given, Mapping) else given


@dataclass(frozen=True, slots=True)
class BcastProfile:
    """The OMA BCAST Smartcard Profile on the card.

    `service_purse` turns on the policies paid from the service purse; `secure_channel` demands one for content that is
    to stay protected after reception. Without `parental_pin` there is none until a protected message sets it.
    """

    table_set: Annotated[TableSet, choice(TableSet)] = TableSet.P1
    service_purse: Annotated[bool | None, FLAG] = None
    secure_channel: Annotated[bool | None, FLAG] = None
    parental_pin: Annotated[PinProfile | None, Table(PinProfile)] = None
    tables: Annotated[TablesProfile, Table(TablesProfile)] = TablesProfile()

    def build_tables(self) -> BcastTables:
        """Return the tables that the card is to work with."""
        tables = self.tables.apply(SETS[self.table_set])
        if self.service_purse is not None:
            tables = replace(tables, service_purse=self.service_purse)
        if self.secure_channel is not None:
            tables = replace(tables, secure_channel=self.secure_channel)
        return tables

    def check(self) -> Iterator[Fault]:
        """Yield what cannot work in the tables as overridden."""
        for table, text in problems(self.build_tables()):
            yield Fault(("tables", table), text)


DEFAULT_BCAST = BcastProfile()
