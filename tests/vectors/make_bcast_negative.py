"""Writes bcast_negative.json: messages a card must refuse, each with its status and "nothing changed".

    python -m tests.vectors.make_bcast_negative

The file has the shape of Project Wycheproof. Everything comes from the oracle, nothing from `card`: the bytes from
`tests.oracle.mikey` and `bcast_wire`, the answers of the rules from `bcast_model`, those of the syntax written in
`tests/vectors/bcast_negative` from the fact sheet. The status words for malformed messages and the values of the
BCAST status byte are provisional.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.support.bcast import CSB_ID, RAND, SEK
from tests.vectors.bcast_negative.groups import Group, groups
from tests.vectors.bcast_negative.states import State, Step
from tests.vectors.bcast_negative.vector import NOTES, Vector

PATH = Path(__file__).with_name("bcast_negative.json")
GENERATOR_VERSION = "3"
HEADER = (
    "Commands to a UICC with the OMA BCAST Smartcard Profile. Those that are invalid must be refused with their",
    "status and change nothing. Values of the status byte, and status words without a public source, are provisional.",
    "docs/spec/negative-vectors.md describes the fields.",
)


def render() -> str:
    """Return the text of the file."""
    numbers = iter(range(1, 100_000))
    made = [group_entry(group, numbers) for group in groups()]
    tests = [test for entry in made for test in entry["tests"]]
    content = {
        "algorithm": "OMA BCAST Smartcard Profile",
        "generatorVersion": GENERATOR_VERSION,
        "numberOfTests": len(tests),
        "header": list(HEADER),
        "notes": notes(tests),
        "testGroups": made,
    }
    return json.dumps(content, indent=1) + "\n"


def notes(tests: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the notes on the flags in use. Raises `KeyError` for a flag without one."""
    used = {flag for test in tests for flag in test["flags"]}
    return {flag: {"bugType": NOTES[flag].bug_type, "description": NOTES[flag].description} for flag in sorted(used)}


def group_entry(group: Group, numbers: Iterator[int]) -> dict[str, Any]:
    """Return a group with its tests numbered on."""
    site = group.state.site
    tags = site.wire.tags
    return {
        "type": group.type,
        "comment": f"{site.application}, tables {site.wire.name}: {group.state.name}",
        "application": site.application,
        "tableSet": site.wire.name,
        "keys": {"smk": site.smk.hex(), "sek": SEK.hex(), "csbId": f"{CSB_ID:08x}", "rand": RAND.hex()},
        "tags": {"status": f"{tags['status']:02x}", "tek": f"{tags['tek']:02x}", "salt": f"{tags['salt']:02x}"},
        "setup": setup(group.state),
        "tests": [test_entry(vector, next(numbers)) for vector in group.vectors],
    }


def setup(state: State) -> dict[str, Any]:
    """Return what leads to the state."""
    return {
        "profile": state.profile,
        "servicesOff": state.services_off,
        "steps": [step_entry(step) for step in state.steps],
        "session": [step_entry(step) for step in state.session],
    }


def step_entry(step: Step) -> dict[str, str]:
    """Return a step: an APDU, or a data object with the command that carries it."""
    if step.apdu:
        return {"apdu": step.data.hex(), "sw": step.sw}
    return {"ins": f"{step.ins:02x}", "p2": f"{step.p2:02x}", "msg": step.data.hex(), "sw": step.sw}


def test_entry(vector: Vector, number: int) -> dict[str, Any]:
    """Return one test."""
    sent = Step(vector.data, vector.ins, vector.p2, vector.apdu, vector.sw)
    entry = {"tcId": number, "comment": vector.comment, "flags": list(vector.flags), **step_entry(sent)}
    if vector.status is not None:
        entry["status"] = f"{vector.status:02x}"
    if vector.tek is not None:
        entry["tek"] = vector.tek.hex()
    return {**entry, "result": vector.result}


if __name__ == "__main__":
    PATH.write_text(render(), "utf-8")
