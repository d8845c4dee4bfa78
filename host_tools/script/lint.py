"""Looks at a script that loads for what is probably not meant."""

from __future__ import annotations

from collections.abc import Iterator

from card.tables.problems import Problem
from host_tools.script.model import ApduStep, Expectation, Script, Step
from host_tools.script.oneline import ANY_SW, carries_pin
from host_tools.script.template import Template
from host_tools.script.walk import may_change_card, names_in, walk_steps


def lint_script(script: Script) -> Iterator[Problem]:
    """Yield what deserves a second look, in the order of the file."""
    yield from script.remarks
    used: set[str] = set()
    captured: dict[str, Step] = {}
    for step in walk_steps(script.steps):
        yield from _lint_step(step)
        used |= names_in(step)
        if isinstance(step, ApduStep):
            captured |= {capture.variable: step for capture in step.captures}
    conditions = [*script.requires, *(item for step in walk_steps(script.steps) for item in step.head.when)]
    used |= {condition.known for condition in conditions}
    used |= {name for source in script.variables.values() if isinstance(source, Template) for name in source.names}
    for name, step in captured.items():
        if name not in used:
            yield Problem(step.head.place, f"{name} is captured and never used", "take the capture out")
    for name in script.variables:
        if name not in used:
            yield Problem(script.places.get(name, script.place), f"variable {name} is never used", "take it out")


def _lint_step(step: Step) -> Iterator[Problem]:
    if not isinstance(step, ApduStep):
        return
    place = step.head.place
    if carries_pin(step):
        yield Problem(place, "a PIN is written in the script", 'take it from the environment: { env = "…" }')
    if may_change_card(step) and not step.head.destructive:
        yield Problem(place, "the step changes the card and is not marked so", "destructive = true")
    if step.expect == Expectation(sw=ANY_SW):
        yield Problem(place, "any answer will do", "say which status word is wanted")
