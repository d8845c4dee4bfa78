"""Lean values: all that a frozen dataclass with slots is, but for the guard at run time, which the type checker is."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, fields, replace
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


@dataclass(frozen=True, slots=True)
class Frozen:
    """What a lean value is held against."""

    x: int
    hidden: str = field(default="", repr=False)
    derived: int = field(default=0, compare=False)


@lean_dataclass(frozen=True, slots=True)
class Lean:
    x: int
    hidden: str = field(default="", repr=False)
    derived: int = field(default=0, compare=False)


@lean_dataclass(frozen=True, slots=True)
class Heir(Lean):
    more: bytes = b""


@lean_dataclass(frozen=True, slots=True)
class Empty:
    pass


@lean_dataclass(frozen=True, slots=True)
class Own:
    x: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Own)

    def __hash__(self) -> int:
        return 7

    def __repr__(self) -> str:
        return "mine"


def test_lean_values_are_shown_as_frozen_ones_are() -> None:
    assert (
        repr(Lean(1, "secret", 3)) == repr(Frozen(1, "secret", 3)).replace("Frozen", "Lean") == "Lean(x=1, derived=3)"
    )
    assert repr(Heir(1, "secret", 3, b"x")) == "Heir(x=1, derived=3, more=b'x')"
    assert repr(Empty()) == "Empty()"


def test_what_compares_and_what_does_not() -> None:
    assert Lean(1, "a", 2) == Lean(1, "a", 3)
    assert hash(Lean(1, "a", 2)) == hash(Lean(1, "a", 3)) == hash(Frozen(1, "a", 2))
    assert Lean(1, "a") != Lean(1, "b")
    assert Lean(1) != Heir(1)
    assert Lean(1).__eq__(Frozen(1)) is NotImplemented
    assert Heir(1, more=b"x") != Heir(1, more=b"y")
    assert Empty() == Empty()
    assert {Empty(): 1}[Empty()] == 1


def test_what_a_class_says_itself_stays() -> None:
    assert Own(1) == Own(2)
    assert (hash(Own(1)), repr(Own(1))) == (7, "mine")


def test_the_type_checker_refuses_to_assign(tmp_path: Path) -> None:
    (tmp_path / "assigns.py").write_text(ASSIGNS)
    flags = ["--follow-imports=silent", "--no-incremental", "--python-executable", sys.executable]
    found, _, status = api.run([str(tmp_path / "assigns.py"), *flags])
    assert status == 1
    assert 'Property "x" defined in "Point" is read-only' in found
