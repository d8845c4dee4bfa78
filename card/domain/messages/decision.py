"""Decisions as data: rows `state, condition -> next state or action`, and the few lines that walk them.

The rows of the BCAST rules stand in `rules.py`; the diagrams in docs/spec/bcast.md are drawn from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Generic, TypeVar

from card.lean import lean_dataclass

S = TypeVar("S", bound=Enum)  # states
C = TypeVar("C", bound=Enum)  # conditions
A = TypeVar("A", bound=Enum)  # actions: where a walk ends
F = TypeVar("F")  # facts: what the conditions are asked about


@lean_dataclass(frozen=True, slots=True)
class Rule(Generic[S, C, A]):
    """In `state`, when `condition` holds (None: in every other case), go on to `then`."""

    state: S
    condition: C | None
    then: S | A


class DecisionTable(Generic[S, C, A]):
    """Rules grouped by state. The rows of a state are tried in their order; the last one has no condition."""

    __slots__ = ("rules",)

    def __init__(self, rules: Iterable[Rule[S, C, A]]) -> None:
        self.rules = tuple(rules)
        last = {rule.state: rule.condition for rule in self.rules}
        if any(condition is not None for condition in last.values()):
            raise ValueError("the last row of a state takes every other case")

    def bind(self, conditions: Mapping[C, Callable[[F], bool]]) -> Decisions[S, A, F]:
        """Return the table with its conditions as functions of the facts, looked up once and not at every walk."""
        rows: dict[S | A, list[tuple[Callable[[F], bool] | None, S | A]]] = {}
        for rule in self.rules:
            holds = None if rule.condition is None else conditions[rule.condition]
            rows.setdefault(rule.state, []).append((holds, rule.then))
        return Decisions(rows)


class Decisions(Generic[S, A, F]):
    """A decision table that knows how to ask its conditions."""

    __slots__ = ("_rows",)

    def __init__(self, rows: Mapping[S | A, list[tuple[Callable[[F], bool] | None, S | A]]]) -> None:
        self._rows = rows

    def decide(self, start: S, facts: F) -> S | A:
        """Walk from `start` until no row goes on."""
        state: S | A = start
        while (branches := self._rows.get(state)) is not None:
            for holds, then in branches:
                if holds is None or holds(facts):
                    state = then
                    break
        return state
