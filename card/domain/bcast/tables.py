"""Where a card keeps its BCAST tables: beside everything else it remembers, written at personalisation."""

from __future__ import annotations

from card.errors import StoreError
from card.spec.bcast.check import problems
from card.spec.bcast.p1 import P1
from card.spec.bcast.plain import decode_tables, encode_tables
from card.spec.bcast.tables import BcastTables
from card.state.nonvolatile import NonVolatile

_KEY = "bcast/tables"


def store_tables(nv: NonVolatile, tables: BcastTables) -> None:
    """Write the tables of a card."""
    nv.put(_KEY, encode_tables(tables))


def load_tables(nv: NonVolatile) -> BcastTables:
    """Return the tables of a card; one that was made before there were any has the default set. Raises `StoreError`."""
    raw = nv.get(_KEY)
    if raw is None:
        return P1
    try:
        tables = decode_tables(raw)
    except (ValueError, RecursionError):
        raise StoreError("card file: the BCAST tables cannot be read") from None
    for table, problem in problems(tables):
        raise StoreError(f"card file: no card works with its BCAST tables ({table}: {problem})")
    return tables
