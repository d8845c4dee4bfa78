"""Walks the steps of a script: which variables a step uses, which instruction it sends, what it needs of the card."""

from __future__ import annotations

from collections.abc import Iterator

from host_tools.script.model import BUILT_IN, ApduStep, ComputeStep, GroupStep, ResetStep, Script, Step
from host_tools.script.pattern import Pattern
from host_tools.script.safety import IRREVERSIBLE
from host_tools.script.template import Hex, Template

_INS = 1


def walk_steps(steps: tuple[Step, ...]) -> Iterator[Step]:
    """Yield every step, groups before what is in them."""
    for step in steps:
        yield step
        if isinstance(step, GroupStep):
            yield from walk_steps(step.steps)


def names_in(step: Step) -> set[str]:
    """Return the variables that a step itself uses, those of its loop included."""
    names: set[str] = set()
    loop = step.head.loop
    if loop is not None and not isinstance(loop.values, range):
        names |= {name for value in loop.values for name in value.names}
    match step:
        case ApduStep(command=command, expect=expect):
            names |= command.names
            for pattern in (expect.data, expect.not_data, *expect.tlv.values()):
                if isinstance(pattern, Pattern):
                    names |= pattern.names
        case ComputeStep(assignments=assignments):
            names |= {name for _, expression in assignments for name in expression.names}
        case ResetStep(atr=Pattern() as atr):
            names |= atr.names
        case _:
            pass
    return names


def instruction_of(step: Step) -> int | None:
    """Return the instruction byte where it is written out."""
    if not isinstance(step, ApduStep):
        return None
    written = bytearray()
    for part in step.command.parts:
        if not isinstance(part, Hex):
            break
        written += part.data
    return written[_INS] if len(written) > _INS else None


def needs_card(script: Script) -> bool:
    """Tell whether the card must be asked what it is before the script can begin."""
    if any(condition.needs_card for condition in script.requires):
        return True
    templates = [source for source in script.variables.values() if isinstance(source, Template)]
    if any(template.names & set(BUILT_IN) for template in templates):
        return True
    return any(_step_needs_card(step) for step in walk_steps(script.steps))


def _step_needs_card(step: Step) -> bool:
    return (
        step.head.destructive
        or any(condition.needs_card for condition in step.head.when)
        or bool(names_in(step) & set(BUILT_IN))
        or instruction_of(step) in IRREVERSIBLE
    )
