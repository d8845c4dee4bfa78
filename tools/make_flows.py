"""Writes docs/spec/flows.md: OMA's flows of service provisioning, step by step, and the tests that prove each step.

    python tools/make_flows.py

A test names a step with `@pytest.mark.flow("002", "5.4.7.2.4", step="1", message="...")`: which change request, the
clause, the step as it is numbered there, and what crosses. The marks are read from the source, without running
anything.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/spec/flows.md"
TESTS = ROOT / "tests"
REMEDY = "run `python tools/make_flows.py`"

SOURCES: Mapping[str, str] = {
    "000": "overall flows (change request on the AD)",
    "002": "service provisioning (change request on the AD)",
    "003": "client IDs (change request on SPCP)",
}
TITLES: Mapping[tuple[str, str], str] = {
    ("000", "5.4.4.2.1.1"): "Subscriber key establishment",
    ("000", "5.4.4.2.1.2"): "Push of LTKMs",
    ("000", "5.4.4.2.1.3"): "STKMs",
    ("000", "5.4.4.2.1.4"): "LTKM request",
    ("002", "5.4.7.2.3"): "HTTP digest for all messages",
    ("002", "5.4.7.2.4"): "Service Request with registration phase",
    ("002", "5.4.7.2.5"): "Service Request without registration phase",
    ("002", "5.4.7.2.6"): "Token Purchase with registration phase",
    ("002", "5.4.7.2.8"): "Token Purchase without registration phase",
    ("002", "5.4.7.2.9"): "Shop that knows SMK and SRK",
    ("002", "5.4.7.2.10"): "Shop that knows neither",
    ("002", "5.4.7.2.12"): "Registration",
    ("002", "5.4.7.2.13"): "Deregistration",
    ("002", "5.4.7.2.14"): "LTKM Request",
    ("002", "5.4.7.2.15"): "Prices and accounts",
    ("003", "6.9.2.1"): "TLS with certificates on both sides",
    ("003", "6.9.2.2"): "The terminal shows its client ID at once",
    ("003", "6.9.2.3"): "The BSM asks for it",
    ("003", "6.9.2.4"): "The terminal answers",
    ("003", "6.9.2.5"): "The BSM accepts it",
}
STEPS: Mapping[tuple[str, str], str] = {
    ("000", "5.4.4.2.1.1"): "1",
    ("000", "5.4.4.2.1.2"): "1 2 3",
    ("000", "5.4.4.2.1.3"): "1 2",
    ("000", "5.4.4.2.1.4"): "1 2 3",
    ("002", "5.4.7.2.3"): "1 2 3 5",
    ("002", "5.4.7.2.4"): "1 2 3 5 6 7 8",
    ("002", "5.4.7.2.5"): "1 2 3 4 5",
    ("002", "5.4.7.2.6"): "1 2 3 4 5 6 7",
    ("002", "5.4.7.2.8"): "1 2 3 4 5",
    ("002", "5.4.7.2.9"): "1 2 3 4 8 9",
    ("002", "5.4.7.2.10"): "1 2 3 4 5 6 7 8 9 10 11 12",
    ("002", "5.4.7.2.12"): "1 2 3 4",
    ("002", "5.4.7.2.13"): "1 2 3 4",
    ("002", "5.4.7.2.14"): "1 2 3 4 5",
    ("002", "5.4.7.2.15"): "1 2 3",
    ("003", "6.9.2.1"): "1",
    ("003", "6.9.2.2"): "1 2",
    ("003", "6.9.2.3"): "1",
    ("003", "6.9.2.4"): "1 2",
    ("003", "6.9.2.5"): "1",
}
"""The steps of each clause as they are numbered there, which is not always one after the other."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A test that names a step: where it stands, and what crosses there."""

    file: str
    test: str
    source: str
    clause: str
    step: str
    message: str


class FlowError(ValueError):
    """A mark that cannot be used; the text says where."""


def collect(tests: Path) -> list[Mark]:
    """Return every mark in the Python files below a folder. Raises `FlowError` for one that cannot be read."""
    marks: list[Mark] = []
    for path in sorted(tests.rglob("*.py")):
        text = path.read_text("utf-8")
        if "mark.flow(" in text:
            marks += _marks(ast.parse(text), path.relative_to(tests).as_posix())
    return marks


def _marks(tree: ast.Module, file: str) -> Iterator[Mark]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            for one in node.decorator_list:
                if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute) and one.func.attr == "flow":
                    yield _mark(one, node.name, file)


def _mark(call: ast.Call, test: str, file: str) -> Mark:
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    values = [*call.args, named.get("step"), named.get("message")]
    texts = [value.value for value in values if isinstance(value, ast.Constant) and isinstance(value.value, str)]
    if len(texts) != 4 or len(call.args) != 2:
        raise FlowError(f"{file}:{call.lineno}: a mark is flow(SOURCE, CLAUSE, step=..., message=...) of plain strings")
    return Mark(file, test, *texts)


def problems(marks: list[Mark]) -> list[str]:
    """Return what is wrong between steps and marks: steps that nothing proves, marks that name no step."""
    wanted = {(*clause, step) for clause, steps in STEPS.items() for step in steps.split()}
    named = {(mark.source, mark.clause, mark.step) for mark in marks}
    missing = [f"step {' '.join(one)} has no test" for one in sorted(wanted - named)]
    unknown = [f"{mark.file}: {mark.test} names step {mark.step} of {mark.source} {mark.clause}" for mark in marks
               if (mark.source, mark.clause, mark.step) not in wanted]  # fmt: skip
    return missing + unknown


def page(marks: list[Mark]) -> str:
    """Return the page."""
    lines = [
        "<!-- Written by tools/make_flows.py: do not edit. -->\n",
        "# OMA's flows, step by step\n",
        "The flows of the change requests from which service provisioning was built, and the tests that prove each",
        "step by the octets that crossed real sockets. Paths are below `tests/`. A test names its step with",
        '`@pytest.mark.flow("002", "5.4.7.2.4", step="1", message="...")`.',
    ]
    for (source, clause), steps in STEPS.items():
        lines += [
            f"\n## {clause} {TITLES[source, clause]}\n",
            f"Of the {SOURCES[source]}.\n",
            "| step | message | test |",
            "|---|---|---|",
        ]
        for step in steps.split():
            found = [mark for mark in marks if (mark.source, mark.clause, mark.step) == (source, clause, step)]
            for mark in found:
                lines.append(f"| {step} | {mark.message} | `{mark.file}`: `{mark.test}` |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(collect(TESTS)), "utf-8")


if __name__ == "__main__":
    main()
