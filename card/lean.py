"""Frozen values without the price of freezing them at run time, and of what is seldom asked of them.

A frozen dataclass sets each field by `object.__setattr__`, which takes six times as long as a plain assignment: a fifth
of an STKM went into it. It also has six functions compiled when its class is made, and a card has some 160 classes of
values: half of what it took to start. `lean_dataclass` is `dataclass` to the type checker, which refuses every
assignment to a field all the same; at run time nobody stands guard, only `__init__` is compiled, and the functions that
compare, hash and show a value are the same for all classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    from dataclasses import dataclass as lean_dataclass
else:
    from collections.abc import Callable
    from dataclasses import dataclass, fields
    from operator import attrgetter

    T = TypeVar("T")

    def lean_dataclass(*, frozen: Literal[True], slots: Literal[True]) -> Callable[[type[T]], type[T]]:  # noqa: ARG001  # frozen for the type checker
        """Make a dataclass with slots, equality and a hash, whose fields the type checker guards."""

        def make(cls: type[T]) -> type[T]:
            def equals(self: Any, other: object) -> bool:
                return compared(self) == compared(other) if other.__class__ is self.__class__ else NotImplemented

            def hashed(self: Any) -> int:
                return hash(compared(self))

            def described(self: Any) -> str:
                return f"{self.__class__.__qualname__}({', '.join([f'{it}={getattr(self, it)!r}' for it in shown])})"

            for name, method in {"__eq__": equals, "__hash__": hashed, "__repr__": described}.items():
                if cls.__dict__.get(name) is None:
                    setattr(cls, name, method)
            made = dataclass(cls, slots=slots, eq=False, repr=False)
            names = [field.name for field in fields(made) if field.compare]
            compared = attrgetter(*names) if names else type
            shown = [field.name for field in fields(made) if field.repr]
            return made

        return make


__all__ = ["lean_dataclass"]
