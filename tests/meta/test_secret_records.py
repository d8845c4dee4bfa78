"""The test that looks for secrets in stored records knows every type of record that is stored and has one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from importlib import import_module
from typing import get_type_hints

from card.crypto.secret import Secret
from tests.meta.tree import ROOT, project_files
from tests.support.secret_records import SECRET_RECORDS

_TABLE = "StoredTable"


def stored_types() -> Iterator[type]:
    """Yield the record type of every `StoredTable(store, prefix, type)` in the card."""
    for path in project_files():
        if path.suffix != ".py" or ROOT / "card" not in path.parents:
            continue
        tree = ast.parse(path.read_text("utf-8"))
        names = [
            call.args[2].id
            for call in ast.walk(tree)
            if isinstance(call, ast.Call)
            and isinstance(call.func, ast.Name)
            and call.func.id == _TABLE
            and len(call.args) > 2
            and isinstance(call.args[2], ast.Name)
        ]
        if names:
            module = import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
            yield from (getattr(module, name) for name in names)


def has_secret(kind: type) -> bool:
    hints = get_type_hints(kind)
    return any(Secret in (hints[field.name], *getattr(hints[field.name], "__args__", ())) for field in fields(kind))


def test_every_stored_record_with_a_secret_is_known() -> None:
    stored = set(stored_types())
    assert len(stored) > 15
    assert all(is_dataclass(kind) for kind in stored)
    assert {kind for kind in stored if has_secret(kind)} == set(SECRET_RECORDS)
