"""What is written into the source of the compiled card makes the same values as `dataclass` does."""

from __future__ import annotations

import inspect
import re
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest

from tools.compiled import MODULES, ROOT
from tools.own_inits import with_own_inits

_SOURCE = """
from __future__ import annotations
import dataclasses
from dataclasses import KW_ONLY, InitVar, field
import typing
from typing import ClassVar
from card.lean import lean_dataclass

@lean_dataclass(frozen=True, slots=True)
class Point:
    \"\"\"Fields of all kinds.\"\"\"

    size: ClassVar[int] = 2
    x: int
    y: int = field(default=7, repr=False)
    name: str | None = None
    \"\"\"A field with words behind it.\"\"\"
    sum: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        self.sum = self.x + self.y

@lean_dataclass(frozen=True, slots=True)
class Anew:
    items: list[int] = field(default_factory=list)

@lean_dataclass(frozen=True, slots=True)
class AnewToo:
    items: list[int] = dataclasses.field(default_factory=list)

@lean_dataclass(frozen=True, slots=True)
class Named:
    x: int
    y: int = field(kw_only=True)

@lean_dataclass(frozen=True, slots=True)
class Behind:
    x: int
    _: KW_ONLY
    y: int = 3

@lean_dataclass(frozen=True, slots=True)
class Passed:
    x: int
    more: InitVar[int]

    def __post_init__(self, more: int) -> None:
        self.x += more

@lean_dataclass(frozen=True, slots=True)
class Told:
    x: int = field(init=True)
    y: int = field(default=4, init=False)

@lean_dataclass(frozen=True, slots=True)
class Outer:
    SIZE: typing.ClassVar[int] = 1
    x: int

    @lean_dataclass(frozen=True, slots=True)
    class Inner:
        y: int

class Plain:
    x: int = 0
"""


def made_from(source: str, name: str) -> dict[str, Any]:
    """Return what a module of this name would hold."""
    held: dict[str, Any] = {"__name__": name}
    exec(compile(source, "written", "exec"), held)
    return held


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the module of `_SOURCE` holds; `dataclass` looks its annotations up there."""
    module = ModuleType("somewhere")
    monkeypatch.setitem(sys.modules, "somewhere", module)
    exec(compile(with_own_inits(_SOURCE), "written", "exec"), vars(module))
    return vars(module)


def values_of(held: dict[str, Any], module: str) -> dict[str, type]:
    """Return the dataclasses that a module makes itself, by name."""
    return {
        name: it
        for name, it in held.items()
        if isinstance(it, type) and it.__module__ == module and hasattr(it, "__dataclass_fields__")
    }


def signature(made: Any) -> list[tuple[str, object, object]]:
    """Return names, kinds and defaults of the parameters."""
    return [(name, it.kind, it.default) for name, it in inspect.signature(made).parameters.items()]


def test_values_are_made_as_before(made: dict[str, Any]) -> None:
    point = made["Point"](1, name="p")
    assert (point.x, point.y, point.name, point.sum, point.size) == (1, 7, "p", 8, 2)
    assert (repr(point), point) == ("Point(x=1, name='p', sum=8)", made["Point"](1, 7, "p"))
    assert made["Point"].__init__.__code__.co_filename == "written"


def test_what_cannot_be_written_is_left_alone(made: dict[str, Any]) -> None:
    assert made["Anew"]().items is not made["Anew"]().items
    assert "__init__" not in vars(made["Plain"])
    assert made["AnewToo"]().items == []
    assert (made["Named"](1, y=2).y, made["Behind"](1, y=2).y) == (2, 2)
    assert (made["Passed"](1, 2).x, made["Told"](1).y) == (3, 4)
    with pytest.raises(TypeError):
        made["Named"](1, 2)


def test_a_class_in_a_class_has_its_own(made: dict[str, Any]) -> None:
    outer = made["Outer"]
    assert (outer(1).x, outer.Inner(2).y) == (1, 2)
    assert {it.__init__.__code__.co_filename for it in (outer, outer.Inner)} == {"written"}


@pytest.mark.parametrize("module", MODULES)
def test_every_value_of_the_compiled_card_takes_what_it_took(module: str) -> None:
    name = f"card.{module.replace('/', '.')}"
    source = (ROOT / "card" / f"{module}.py").read_text()
    before = values_of(vars(import_module(name)), name)
    after = values_of(made_from(with_own_inits(source), name), name)
    assert {key: signature(it) for key, it in after.items()} == {key: signature(it) for key, it in before.items()}
    written = [key for key, it in after.items() if it.__init__.__code__.co_filename == "written"]  # type: ignore[misc]
    assert written == re.findall(r"^@lean_dataclass.*\nclass (\w+):$", source, re.MULTILINE)
