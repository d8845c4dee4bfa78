"""Writes `.scriptor` files of pcsc-tools from scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from card.spec.aids import APPLICATIONS
from host_tools.script.errors import ExpressionError, NoValue
from host_tools.script.functions.call import Call
from host_tools.script.model import (
    ApduStep,
    ComputeStep,
    GroupStep,
    Loop,
    ResetStep,
    Script,
    Step,
    VariableSource,
)
from host_tools.script.template import Template
from host_tools.script.values import FromEnvironment, RandomBytes, Scope, Value
from host_tools.script.walk import may_change_card, written_name

_MOST_STEPS = 100_000
_MOST_CHARACTERS = 1 << 25  # a short script can ask for any number of long commands


def script_as_scriptor(script: Script, variables: Mapping[str, Value]) -> Iterator[str]:
    """Yield the lines of a `.scriptor` file: loops unrolled, expectations as comments.

    `variables` replace those of the script, and those that come from the card. An AID that they do not give is cut to
    RID and application code, by which a card can be asked too (TS 102 221 clause 11.1.1.2). What else only a card can
    tell, and secrets, are not written down: such steps are left out, with a comment. Conditions are not looked at.
    Before a step that changes the card stands `# destructive`.
    """
    exporter = _Exporter(script, variables)
    yield _comment(script.title)
    left = _MOST_CHARACTERS
    try:
        for line in exporter.steps(script.steps):
            left -= len(line)
            if left < 0:
                raise _TooMuch(f"more than {_MOST_CHARACTERS} characters")
            yield line
    except _TooMuch as too_much:
        yield _comment(f"left out: {too_much}")


class _TooMuch(Exception):
    """The file would become too large, or take too long. The message says why."""


class _Exporter:
    def __init__(self, script: Script, variables: Mapping[str, Value]) -> None:
        self._scope = Scope()
        for prefix, name in APPLICATIONS.items():
            self._scope.set(f"{name.removeprefix('ADF.').lower()}_aid", Value(prefix))
        self._scope.miss("iccid", "it comes from the card: --set iccid=HEX gives one")
        self._given = variables
        self._done = 0
        self._scope.update(variables)
        for name, source in script.variables.items():
            self._assign(name, source)

    def steps(self, steps: tuple[Step, ...], destructive: bool = False) -> Iterator[str]:
        """Yield the lines of steps; `destructive` says that a group around them is marked so."""
        for step in steps:
            for _ in self._rounds(step.head.loop):
                self._done += 1
                if self._done > _MOST_STEPS:
                    raise _TooMuch(f"more than {_MOST_STEPS} steps")
                yield from self._step(step, destructive or step.head.destructive)

    def _rounds(self, loop: Loop | None) -> Iterator[None]:
        for item in loop.values if loop else (0,):
            if loop and loop.variable and isinstance(item, int):
                self._scope.set(loop.variable, Value(item.to_bytes(loop.size, "big")))
            elif loop and loop.variable and isinstance(item, Template):
                self._assign(loop.variable, item)
            yield

    def _step(self, step: Step, destructive: bool) -> Iterator[str]:
        match step:
            case GroupStep(steps=inner):
                yield from self.steps(inner, destructive)
            case ResetStep():
                yield "reset"
            case ComputeStep(assignments=assignments):
                for name, expression in assignments:
                    self._assign(name, expression)
            case ApduStep():
                yield from self._apdu(step, destructive or may_change_card(step))
                for capture in step.captures:
                    self._miss(capture.variable, "it is captured from an answer")

    def _assign(self, name: str, source: Call | VariableSource) -> None:
        """Give a variable its value, where it is known beforehand and no secret."""
        if name in self._given:
            return
        try:
            value = self._value(source)
            if value.secret:
                raise ExpressionError("it is a secret")
            self._scope.set(name, value)
        except NoValue as error:  # the first reason, however long the chain
            self._miss(name, error.why)
        except ExpressionError as error:
            self._miss(name, str(error))

    def _value(self, source: Call | VariableSource) -> Value:
        match source:
            case Call():
                return source.evaluate(self._scope)
            case Template():
                return source.expand(self._scope)
            case RandomBytes(size=size):
                return self._scope.random_bytes(size)
            case FromEnvironment(variable=variable, secret=secret):
                value = None if secret else source.resolve()
                if value is None:
                    raise ExpressionError(f"it comes from the environment variable {variable}")
                return value

    def _miss(self, name: str, why: str) -> None:
        if name not in self._given:
            self._scope.miss(name, why)

    def _apdu(self, step: ApduStep, destructive: bool) -> Iterator[str]:
        name = step.head.name or written_name(step)
        try:
            value = step.command.expand(self._scope)
        except ExpressionError as error:
            yield _comment(f"left out: {name}: {error}")
            return
        if value.secret:
            yield _comment(f"left out: {name}: it holds a secret")
            return
        if destructive:
            yield "# destructive"
        yield _comment(f"{name} = {step.expect.sw.text}")
        yield value.data.hex(" ").upper()


def _comment(text: str) -> str:
    """Return a comment line. scriptor stops at any line with `exit` in it, at a comment too."""
    return "# " + re.sub("ex(?=it)", r"\g<0>-", " ".join(text.split()), flags=re.IGNORECASE)
