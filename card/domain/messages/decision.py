"""Decisions as data: rows `state, condition -> next state or action`, and the few lines that walk them.

The rows of the BCAST rules stand in `rules.py`; the diagrams in docs/spec/bcast.md are drawn from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

S = TypeVar("S", bound=Enum)  # states
C = TypeVar("C", bound=Enum)  # conditions
A = TypeVar("A", bound=Enum)  # actions: where a walk ends


@dataclass(frozen=True, slots=True)
class Rule(Generic[S, C, A]):
    """In `state`, when `condition` holds (None: in every other case), go on to `then`."""

    state: S
    condition: C | None
    then: S | A


class DecisionTable(Generic[S, C, A]):
    """Rules grouped by state. The rows of a state are tried in their order; the last one has no condition."""

    __slots__ = ("_rows", "rules")

    def __init__(self, rules: Iterable[Rule[S, C, A]]) -> None:
        self.rules = tuple(rules)
        rows: dict[S | A, list[tuple[C | None, S | A]]] = {}
        for rule in self.rules:
            rows.setdefault(rule.state, []).append((rule.condition, rule.then))
        self._rows: Mapping[S | A, list[tuple[C | None, S | A]]] = rows
        if any(branches[-1][0] is not None for branches in rows.values()):
            raise ValueError("the last row of a state takes every other case")

    def decide(self, start: S, holds: Callable[[C], bool]) -> S | A:
        """Walk from `start` until no row goes on; `holds` tells whether a condition is true."""
        state: S | A = start
        while (branches := self._rows.get(state)) is not None:
            for condition, then in branches:
                if condition is None or holds(condition):
                    state = then
                    break
        return state
