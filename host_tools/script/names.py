"""Checks before a run that every variable has been set where it is used."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from card.tables.problems import Place, Problem
from host_tools.script.errors import ScriptError
from host_tools.script.model import (
    BUILT_IN,
    ApduStep,
    ComputeStep,
    GroupStep,
    Loop,
    ResetStep,
    Script,
    Step,
)
from host_tools.script.pattern import Pattern
from host_tools.script.template import Template


def check_names(script: Script) -> None:
    """Raise `ScriptError` for a variable that is used before anything sets it."""
    walk = _Walk()
    known = set(BUILT_IN)
    for name, source in script.variables.items():
        if isinstance(source, Template):
            walk.need(source.names, known, script.places.get(name, script.place), f"variable {name}")
        known.add(name)
    walk.steps(script.steps, known)
    if walk.problems:
        raise ScriptError(*walk.problems)


class _Walk:
    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def steps(self, steps: Iterable[Step], known: set[str]) -> None:
        """Walk steps in their order; `known` grows by what they set."""
        for step in steps:
            self._step(step, known)

    def need(self, names: Iterable[str], known: set[str], place: Place, what: str) -> None:
        """Note the names that nothing has set yet."""
        for name in sorted(set(names) - known):
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else "set it under [variables] or capture it before"
            self.problems.append(Problem(place, f"{what} uses {{{name}}}, which nothing sets before", hint))

    def _step(self, step: Step, known: set[str]) -> None:
        loop = step.head.loop
        if loop is not None:
            self._loop(loop, step, known)
        match step:
            case ApduStep():
                self._apdu(step, known)
            case ResetStep(atr=atr):
                self.need(atr.names if atr else (), known, step.head.place_of("atr"), "atr")
            case ComputeStep(assignments=assignments):
                for name, expression in assignments:
                    self.need(expression.names, known, step.head.place_of(f"compute.{name}"), name)
                    known.add(name)
            case GroupStep(steps=inner):
                self.steps(inner, known)

    def _loop(self, loop: Loop, step: Step, known: set[str]) -> None:
        if not isinstance(loop.values, range):
            for value in loop.values:
                self.need(value.names, known, step.head.place_of("for"), "for")
        if loop.variable:
            known.add(loop.variable)

    def _apdu(self, step: ApduStep, known: set[str]) -> None:
        self.need(step.command.names, known, step.head.place_of("apdu"), "apdu")
        tlv = {f"tlv.{path}": pattern for path, pattern in step.expect.tlv.items()}
        for key, pattern in {"data": step.expect.data, "not_data": step.expect.not_data, **tlv}.items():
            if isinstance(pattern, Pattern):
                self.need(pattern.names, known, step.head.place_of(key), key.partition(".")[0])
        known |= {capture.variable for capture in step.captures}
