"""Writes docs/spec/norm-rows.md: what the 3GPP texts say, row by row, and the tests that prove each row.

    python tools/norm_rows.py

The rows stand in docs/spec/norm-rows.toml. A test names those it proves with `@pytest.mark.norm("12", "13")`; the marks
are read from the source, without running anything.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

ROOT = Path(__file__).parents[1]
DATA = ROOT / "docs/spec/norm-rows.toml"
PAGE = ROOT / "docs/spec/norm-rows.md"
TESTS = ROOT / "tests"
REMEDY = "run `python tools/norm_rows.py`"
_FIELDS = {"number", "rule", "clause", "kind", "later", "partly", "documented"}
_NEEDED = {"number", "rule", "clause", "kind"}
_WHOLE_FILE = ""


class Kind(StrEnum):
    """How this project stood to a row when it was first read."""

    WRONG = "W"
    THIN = "T"
    FREE = "F"


@dataclass(frozen=True, slots=True)
class Row:
    """One rule of the texts: its number, what it says in our words, where it stands, and how we stand to it.

    `later` says why no test proves it yet, `partly` which part of it comes later, `documented` what is done instead;
    they are empty where not needed.
    """

    number: int
    rule: str
    clause: str
    kind: Kind
    later: str = ""
    partly: str = ""
    documented: str = ""

    @property
    def wants_test(self) -> bool:
        """True for a row that some test must prove."""
        return self.kind is not Kind.FREE and not self.later


@dataclass(frozen=True, slots=True)
class Mark:
    """A test that names a row: its file below tests/, its name in there, the row as it is written."""

    file: str
    test: str
    row: str


class RowError(ValueError):
    """A row or a mark that cannot be used; the text says where, what was found and what is allowed."""


def parse_rows(text: str, source: str) -> list[Row]:
    """Return the rows of the data file. Raises `RowError`; `source` names the file in it."""
    rows = [_row(entry, f"{source}, row {place}") for place, entry in enumerate(tomllib.loads(text)["row"], 1)]
    numbers = [row.number for row in rows]
    if numbers != list(range(1, len(rows) + 1)):
        raise RowError(f"{source}: the rows must be numbered 1, 2, 3 and so on, found {numbers}")
    return rows


def _row(entry: dict[str, object], where: str) -> Row:
    unknown, missing = set(entry) - _FIELDS, _NEEDED - set(entry)
    if unknown or missing:
        raise RowError(
            f"{where}: unknown fields {sorted(unknown)}, missing {sorted(missing)}; allowed: {sorted(_FIELDS)}"
        )
    texts = {name: str(value) for name, value in entry.items() if name not in ("number", "kind")}
    if not all(texts.values()) or any("|" in text or "\n" in text for text in texts.values()):
        raise RowError(f"{where}: texts must have one line, not be empty, and hold no '|'")
    try:
        row = Row(int(str(entry["number"])), kind=Kind(str(entry["kind"])), **texts)
    except ValueError:
        raise RowError(f"{where}: number {entry['number']!r} or kind {entry['kind']!r} is none: W, T or F") from None
    if (row.kind is Kind.FREE) != bool(row.documented) or (row.kind is Kind.FREE and (row.later or row.partly)):
        raise RowError(f"{where}: `documented` belongs to kind F, which needs it; `later`, `partly` to the others")
    return row


def collect(tests: Path) -> list[Mark]:
    """Return every mark in the Python files below a folder. Raises `RowError` for one that cannot be read."""
    marks = []
    for path in sorted(tests.rglob("*.py")):
        name = path.relative_to(tests).as_posix()
        marks += [Mark(name, test, row) for test, row in _marks(ast.parse(path.read_text("utf-8")), _WHOLE_FILE, name)]
    return sorted(set(marks), key=lambda mark: (mark.file, mark.test, mark.row))


def _marks(node: ast.AST, test: str, file: str) -> Iterator[tuple[str, str]]:
    """Yield test and row for each mark in a piece of source; the test is the definition or the name around it."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            test = f"{test}::{name}" if test else name
        case ast.Assign(targets=[ast.Name(id=name)]) if name != "pytestmark":
            test = f"{test}::{name}" if test else name
        case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="mark"), attr="norm"), args=arguments):
            for argument in arguments:
                if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
                    raise RowError(f"{file}:{node.lineno}: a mark names its rows as plain strings, like norm('12')")
                yield test, argument.value
        case _:
            pass
    for child in ast.iter_child_nodes(node):
        yield from _marks(child, test, file)


def problems(rows: list[Row], marks: list[Mark]) -> list[str]:
    """Return what is wrong between rows and marks: rows that nothing proves, marks that name no row."""
    numbers, named = {str(row.number) for row in rows}, {mark.row for mark in marks}
    unproved = [
        f"row {row.number} has no test: {row.rule}" for row in rows if row.wants_test and str(row.number) not in named
    ]
    unknown = [
        f"{mark.file}: {mark.test or 'the file'} names row {mark.row!r}, which {DATA.name} does not have"
        for mark in marks
        if mark.row not in numbers
    ]
    return unproved + unknown


def page(rows: list[Row], marks: list[Mark]) -> str:
    """Return the page."""
    lines = [
        "<!-- Written by tools/norm_rows.py: do not edit. -->\n",
        "# The 3GPP texts, row by row\n",
        "What the texts say of GBA_U, MBMS keys, local keys and group calls, in words of our own, and the tests that",
        "prove it. Kinds: **W**, this project once contradicted it; **T**, it was thinner; **F**, it differs on",
        "purpose, and the row says how. Paths are below `tests/`. The rows stand in `norm-rows.toml`; a test names its",
        'rows with `@pytest.mark.norm("12")`.\n',
        "| row | rule | clause | kind | tests |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        cells = (str(row.number), row.rule, row.clause, row.kind.value, _last_cell(row, marks))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _last_cell(row: Row, marks: list[Mark]) -> str:
    """Return the tests of a row by file, behind what is done instead or why there is none yet."""
    files: dict[str, list[str]] = {}
    for mark in marks:
        if mark.row == str(row.number):
            files.setdefault(mark.file, []).append(mark.test)
    tests = [
        f"`{file}`" + (": " + ", ".join(f"`{name}`" for name in names) if any(names) else "")
        for file, names in files.items()
    ]
    later = f"Later: {row.later}" if row.later else ""
    partly = f"Partly later: {row.partly}" if row.partly else ""
    return "<br>".join(part for part in (row.documented, later, partly, *tests) if part)


def main() -> None:
    """Write the page."""
    rows = parse_rows(DATA.read_text("utf-8"), DATA.name)
    PAGE.write_text(page(rows, collect(TESTS)), "utf-8")


if __name__ == "__main__":
    main()
