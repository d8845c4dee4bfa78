"""Writes OMA BCAST tables as the part of a card profile that says how they differ from a set that ships."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from card.spec.bcast.tables import BcastTables, SpeRow

MAPS = ("answers", "response_tags", "audit_tags", "modes", "properties", "capacity")
"""The tables whose rows are numbers by name."""
_ALONE = ("pin_reference", "identity_with_validity", "lower_is_stricter", "unrated_is_held")
_SWITCHES = ("service_purse", "secure_channel")


def write_tables(base: BcastTables, tables: BcastTables, seen: Mapping[tuple[str, str], str]) -> str:
    """Return TOML, to stand behind the other tables of a profile. `seen` says, by table and row, what showed it."""
    return "\n".join(_lines(base, tables, seen)) + "\n"


def _lines(base: BcastTables, tables: BcastTables, seen: Mapping[tuple[str, str], str]) -> Iterator[str]:
    yield f"\n[bcast]\ntable_set = {json.dumps(base.name)}"
    for name in _SWITCHES:
        yield from _alone(name, base, tables, seen)
    alone = [line for name in _ALONE for line in _alone(name, base, tables, seen)]
    if alone:
        yield "\n[bcast.tables]"
        yield from alone
    for table in MAPS:
        yield from _map(table, base, tables, seen)
    if tables.spe != base.spe:
        for row in tables.spe:
            yield from _policy(row)


def _alone(name: str, base: BcastTables, tables: BcastTables, seen: Mapping[tuple[str, str], str]) -> Iterator[str]:
    value = getattr(tables, name)
    if value != getattr(base, name):
        yield f"{name} = {json.dumps(value)}{_comment(seen, '', name)}"


def _map(table: str, base: BcastTables, tables: BcastTables, seen: Mapping[tuple[str, str], str]) -> Iterator[str]:
    old, new = getattr(base, table), getattr(tables, table)
    changed = [name for name, value in new.items() if value != old[name]]
    if changed:
        yield f"\n[bcast.tables.{table}]"
    for name in changed:
        value = str(new[name]) if table == "capacity" else f"0x{new[name]:02X}"
        yield f"{name} = {value}{_comment(seen, table, name)}"


def _policy(row: SpeRow) -> Iterator[str]:
    yield f"\n[[bcast.tables.spe]]\nnumber = 0x{row.value:02X}\nname = {json.dumps(row.name)}"
    yield f'direction = "{row.direction.value}"\ndebit = "{row.debit.value}"'
    yield f'source = "{row.source.value}"\npriority = {row.priority}'


def _comment(seen: Mapping[tuple[str, str], str], table: str, name: str) -> str:
    return f"  # {seen[table, name]}" if seen.get((table, name)) else ""
