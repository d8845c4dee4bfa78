"""Frozen values without the price of freezing them at run time.

A frozen dataclass sets each field by `object.__setattr__`, which takes six times as long as a plain assignment: a fifth
of an STKM went into it. `lean_dataclass` is `dataclass` to the type checker, which refuses every assignment to a field
all the same; at run time nobody stands guard. It is for values that are made with every command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeVar

if TYPE_CHECKING:
    from dataclasses import dataclass as lean_dataclass
else:
    from collections.abc import Callable
    from dataclasses import dataclass

    T = TypeVar("T")

    def lean_dataclass(*, frozen: Literal[True], slots: Literal[True]) -> Callable[[type[T]], type[T]]:
        """Make a dataclass with slots, equality and a hash, whose fields the type checker guards."""
        return dataclass(slots=slots, unsafe_hash=frozen)


__all__ = ["lean_dataclass"]
