"""All declared files, found rather than listed, so that a new table is tested without an edit here."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import card.spec.files.rows
from card.spec.files.rows import EfRow

_MODULES = [
    import_module(f"card.spec.files.{module.name}")
    for module in pkgutil.iter_modules(card.spec.files.__path__)
    if module.name != "catalogue"  # gathers the tables of the others
]
TABLES: dict[str, tuple[EfRow, ...]] = {
    name: value
    for module in _MODULES
    for name, value in vars(module).items()
    if isinstance(value, tuple) and value and all(isinstance(row, EfRow) for row in value)
}
ALL_FILES = [row for table in TABLES.values() for row in table]
