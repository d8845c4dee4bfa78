"""Writes `.scriptor` files of pcsc-tools from scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from host_tools.script.errors import ExpressionError
from host_tools.script.model import ApduStep, ComputeStep, GroupStep, Loop, ResetStep, Script, Step
from host_tools.script.template import Template
from host_tools.script.values import FromEnvironment, RandomBytes, Scope, Value
from host_tools.script.walk import walk_steps, written_name
from host_tools.trace.files import APPLICATIONS

_MOST_LINES = 100_000


def script_as_scriptor(script: Script, variables: Mapping[str, Value]) -> Iterator[str]:
    """Yield the lines of a `.scriptor` file: loops unrolled, expectations as comments.

    `variables` replace those of the script, and those that come from the card. An AID that they do not give is cut to
    RID and application code, by which a card can be asked too (TS 102 221 clause 11.1.1.2). What else only a card or
    the environment can tell cannot be written down: such steps are left out, with a comment.
    """
    exporter = _Exporter(script, variables)
    yield _comment(script.title)
    for count, line in enumerate(exporter.steps(script.steps)):
        if count >= _MOST_LINES:
            yield f"# left out: more than {_MOST_LINES} lines"
            return
        yield line


class _Exporter:
    def __init__(self, script: Script, variables: Mapping[str, Value]) -> None:
        self._scope = Scope()
        for prefix, name in APPLICATIONS.items():
            self._scope.set(f"{name.removeprefix('ADF.').lower()}_aid", Value(prefix))
        self._scope.miss("iccid", "it comes from the card: --set iccid=HEX gives one")
        self._given = variables
        self._scope.update(variables)
        for name, source in script.variables.items():
            self._set_first(name, source)
        for step in walk_steps(script.steps):
            for capture in step.captures if isinstance(step, ApduStep) else ():
                self._miss(capture.variable, "it is captured from an answer")

    def _set_first(self, name: str, source: object) -> None:
        match source:
            case Template():
                self._assign(name, source)
            case FromEnvironment(variable=variable):
                self._miss(name, f"it comes from the environment variable {variable}")
            case RandomBytes(size=size) if name not in self._given:
                self._scope.set(name, self._scope.random_bytes(size))

    def steps(self, steps: tuple[Step, ...]) -> Iterator[str]:
        for step in steps:
            for _ in self._rounds(step.head.loop):
                yield from self._step(step)

    def _rounds(self, loop: Loop | None) -> Iterator[None]:
        for item in loop.values if loop else (0,):
            if loop and loop.variable and isinstance(item, int):
                self._scope.set(loop.variable, Value(item.to_bytes(loop.size, "big")))
            elif loop and loop.variable and isinstance(item, Template):
                self._assign(loop.variable, item)
            yield

    def _step(self, step: Step) -> Iterator[str]:
        match step:
            case GroupStep(steps=inner):
                yield from self.steps(inner)
            case ResetStep():
                yield "reset"
            case ComputeStep(assignments=assignments):
                self._compute(assignments)
            case ApduStep():
                yield from self._apdu(step)

    def _compute(self, assignments: tuple[tuple[str, object], ...]) -> None:
        for name, expression in assignments:
            if isinstance(expression, Template):
                self._assign(name, expression)
            else:
                self._miss(name, "it is computed when the script runs")

    def _assign(self, name: str, template: Template) -> None:
        if name in self._given:
            return
        try:
            self._scope.set(name, template.expand(self._scope))
        except ExpressionError as error:
            self._miss(name, str(error))

    def _miss(self, name: str, why: str) -> None:
        if name not in self._given:
            self._scope.miss(name, why)

    def _apdu(self, step: ApduStep) -> Iterator[str]:
        name = step.head.name or written_name(step)
        try:
            value = step.command.expand(self._scope)
        except ExpressionError as error:
            yield _comment(f"left out: {name}: {error}")
            return
        yield _comment(f"{name} = {step.expect.sw.text}")
        yield value.data.hex(" ").upper()


def _comment(text: str) -> str:
    """Return a comment line. scriptor stops at any line with `exit` in it, at a comment too."""
    return "# " + re.sub("ex(?=it)", r"\g<0>-", " ".join(text.split()), flags=re.IGNORECASE)
