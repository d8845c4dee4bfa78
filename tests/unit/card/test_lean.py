"""Lean values: all that a frozen dataclass with slots is, but for the guard at run time, which the type checker is."""

from __future__ import annotations

import sys
from dataclasses import fields, replace
from pathlib import Path

from mypy import api

from card.lean import lean_dataclass

ASSIGNS = """
from card.lean import lean_dataclass

@lean_dataclass(frozen=True, slots=True)
class Point:
    x: int

Point(1).x = 2
"""


@lean_dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int = 0


def test_lean_values_compare_hash_and_change_as_frozen_ones_do() -> None:
    one = Point(1)
    assert one == Point(1, 0) != replace(one, y=1)
    assert hash(one) == hash(Point(1))
    assert not hasattr(one, "__dict__")
    assert [field.name for field in fields(one)] == ["x", "y"]
    match one:
        case Point(x, y):
            assert (x, y) == (1, 0)


def test_the_type_checker_refuses_to_assign(tmp_path: Path) -> None:
    (tmp_path / "assigns.py").write_text(ASSIGNS)
    flags = ["--follow-imports=silent", "--no-incremental", "--python-executable", sys.executable]
    found, _, status = api.run([str(tmp_path / "assigns.py"), *flags])
    assert status == 1
    assert 'Property "x" defined in "Point" is read-only' in found
