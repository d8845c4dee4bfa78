"""Walks the steps of a script: which variables a step uses, which instruction it sends, what it needs of the card."""

from __future__ import annotations

from collections.abc import Iterator

from host_tools.script.model import BUILT_IN, ApduStep, ComputeStep, GroupStep, ResetStep, Script, Step
from host_tools.script.pattern import Pattern
from host_tools.script.safety import PIN_COMMANDS, changes_card
from host_tools.script.template import Hex, Template
from host_tools.trace.commands import command_name

_INS = 1
_BARE = 5  # bytes of a command without data: CLA, INS, P1, P2, and Le or an empty Lc


def walk_steps(steps: tuple[Step, ...]) -> Iterator[Step]:
    """Yield every step, groups before what is in them."""
    for step in steps:
        yield step
        if isinstance(step, GroupStep):
            yield from walk_steps(step.steps)


def most_rounds(steps: tuple[Step, ...], outer: int = 1) -> Iterator[tuple[Step, int]]:
    """Yield each step that sends or computes with how often its loops, those around it included, will do it."""
    for step in steps:
        rounds = outer * (len(step.head.loop.values) if step.head.loop else 1)
        if isinstance(step, GroupStep):
            yield from most_rounds(step.steps, rounds)
        else:
            yield step, rounds * (step.until.at_most if isinstance(step, ApduStep) and step.until else 1)


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
    written = _beginning(step)
    return written[_INS] if len(written) > _INS else None


def _beginning(step: Step) -> bytes:
    """Return the bytes of a command up to its first variable or bracket."""
    written = b""
    for part in step.command.parts if isinstance(step, ApduStep) else ():
        if not isinstance(part, Hex):
            break
        written += part.data
    return written


def written_name(step: Step) -> str:
    """Return the name of the instruction where it is written out, for a step without a name and an exchange."""
    ins = instruction_of(step)
    return "apdu" if ins is None else command_name(ins)


def may_change_card(step: Step) -> bool:
    """Tell whether a step sends what counts as a change of the card, as far as its instruction is written out."""
    ins = instruction_of(step)
    if not isinstance(step, ApduStep) or ins is None:
        return False
    return changes_card(ins, step.expect.sw) and not (ins in PIN_COMMANDS and _is_bare(step))


def _is_bare(step: ApduStep) -> bool:
    """Tell whether a command has no data: of a PIN it then only asks for the tries left."""
    return all(isinstance(part, Hex) for part in step.command.parts) and len(_beginning(step)) <= _BARE


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
        or may_change_card(step)
    )
