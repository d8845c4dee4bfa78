"""The tables for what is provisional about OMA BCAST, as a card file holds them: a terminal needs the same."""

from __future__ import annotations

import os

from card.domain.bcast.tables import load_tables
from card.inspection.opening import load_card, opened
from card.spec.bcast.tables import BcastTables
from card.state.nonvolatile import NonVolatile
from card.store.memory import MemoryStore


def bcast_tables(path: str | os.PathLike[str]) -> BcastTables:
    """Return the tables of a card file that is not in use. Raises `StoreError`, `CardFileLocked`."""
    with opened(path) as store:
        return load_tables(NonVolatile(MemoryStore(load_card(store))))
