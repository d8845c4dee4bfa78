"""Writes the list of provisional values (docs/spec/provisional-rows.md) from the rows and remarks of the code.

    python tools/make_provisional.py

A row counts that says itself that no source confirms it (`Confidence.OURS` or `UNSURE`), and a comment or docstring
with a sentence that begins with "provisional:".
"""

from __future__ import annotations

import ast
import importlib
import io
import pkgutil
import re
import sys
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import card.commands  # noqa: E402
import card.spec  # noqa: E402
from card.spec.bcast.tables import SERVICE_AND_CONTENT_PROTECTION, BcastTables, SpeRow  # noqa: E402
from card.spec.refs import Ref  # noqa: E402

PAGE = ROOT / "docs/spec/provisional-rows.md"
_NOTE = "<!-- Written by tools/make_provisional.py: do not edit. -->\n"
_PACKAGES = ("card", "host_tools", "vpicc_bridge")
_REMARK = re.compile(r"(?:^|[.(] ?|\n)[Pp]rovisional: (.*)", re.DOTALL)
_STATUS_WORDS = 0x6000
_LONGEST = 160


@dataclass(frozen=True)
class Row:
    """One provisional value: where it stands, what it decides, the value, and what it stands in for."""

    where: str
    decides: str
    value: str
    ref: Ref


def rows() -> Iterator[Row]:
    """Yield the provisional rows of every table in `card.spec`, and the commands, by module and name."""
    for package in (card.spec, card.commands):
        for found in sorted(
            pkgutil.walk_packages(package.__path__, f"{package.__name__}."), key=lambda item: item.name
        ):
            module = importlib.import_module(found.name)
            path = found.name.removeprefix("card.").replace(".", "/")
            for name, value in vars(module).items():
                if name.isupper() and not name.startswith(("_", "ALL_")) and _is_declared_in(module.__file__, name):
                    yield from _rows_in(f"{path}.py, {name}", value)


def _is_declared_in(file: str | None, name: str) -> bool:
    """Tell whether a module assigns a name itself: an imported table is listed once, where it stands."""
    tree = ast.parse(Path(str(file)).read_text("utf-8"))
    targets = (
        target
        for node in tree.body
        for target in (node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)])
    )
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def _rows_in(where: str, value: object) -> Iterator[Row]:
    match value:
        case BcastTables():
            yield Row(where, "every layout, value, tag and status of the set", value.name, value.ref)
            for row in value.spe:
                yield from _row(where, row)
        case Mapping():
            for key, row in value.items():
                yield from _row(f"{where}[{_key(key)}]", row, key)
        case tuple():
            for row in value:
                yield from _row(where, row)
        case _:
            yield from _row(where, value)


def _row(where: str, row: object, key: object = None) -> Iterator[Row]:
    """Yield a row that is provisional. Every shape of row has a `Ref`, is one, or has a `Confidence`."""
    if isinstance(row, SpeRow):
        ref = Ref(SERVICE_AND_CONTENT_PROTECTION, "SPE value", row.confidence)
    elif isinstance(row, Ref):
        ref = row
    else:
        ref = getattr(row, "ref", None)
    if not isinstance(ref, Ref) or not ref.provisional:
        return
    decides = getattr(row, "decides", "") or getattr(row, "name", "") or getattr(row, "text", "")
    if isinstance(row, Ref) and isinstance(key, Enum):
        decides = key.name.lower().replace("_", " ")
    yield Row(where, str(decides), _value(row, key), ref)


def _value(row: object, key: object) -> str:
    for name in ("value", "fid", "ins"):
        number = getattr(row, name, None)
        if isinstance(number, int):
            return _number(number, name)
    return _number(key, "value") if isinstance(key, int) else ""


def _number(number: int, name: str) -> str:
    if name == "fid" or (name == "value" and number >= _STATUS_WORDS and number != 1 << 14):
        return f"{number:04X}"
    return f"{number:02X}" if name == "ins" or isinstance(number, Enum) else str(int(number))


def _key(key: object) -> str:
    return key.name if isinstance(key, Enum) and isinstance(key, int) else str(key)


def remarks() -> Iterator[tuple[str, str]]:
    """Yield path and sentence of every remark in the code, in the order of the files."""
    for package in _PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for text in _texts(path.read_text("utf-8")):
                found = _REMARK.search(text)
                if found and not found.group(1).startswith("see "):
                    yield str(path.relative_to(ROOT)), _sentence(found.group(1))


def _texts(source: str) -> Iterator[str]:
    """Yield every docstring, and every run of comment lines as one text."""
    comment: list[str] = []
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            if comment and token.start[0] != last + 1:
                yield "\n".join(comment)
                comment = []
            comment.append(token.string.lstrip("# "))
            last = token.start[0]
        elif token.type == tokenize.STRING and token.string.startswith('"""'):
            yield ast.literal_eval(token.string)
    if comment:
        yield "\n".join(comment)


def _sentence(text: str) -> str:
    """Return the first sentence on one line, shortened."""
    paragraph = " ".join(text.split("\n\n")[0].split())
    sentence = re.split(r"(?<=[^.]\.) (?=[A-Z`])", paragraph)[0].rstrip(')"')
    return sentence if len(sentence) <= _LONGEST else sentence[:_LONGEST].rsplit(" ", 1)[0] + " …"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def page() -> str:
    """Return the page."""
    found = {(row.decides, row.value, row.ref): row for row in reversed(list(rows()))}
    lines = [
        _NOTE,
        "# The provisional rows\n",
        "What no source confirms, as the code itself says it. [What it means here](provisional.md) explains the grades",
        "and says more about each; a card profile overrides many of them.\n",
        "## In tables\n",
        "| what | value | stands in for | grade | where |",
        "|---|---|---|---|---|",
    ]
    for row in reversed(found.values()):
        reference = f"{row.ref.document} {row.ref.clause}"
        cells = (row.decides, row.value, reference, row.ref.confidence.value, f"`{row.where}`")
        lines.append(f"| {' | '.join(map(_cell, cells))} |")
    lines += ["\n## Elsewhere in the code\n", "| where | what is provisional |", "|---|---|"]
    lines += [f"| `{path}` | {_cell(sentence)} |" for path, sentence in remarks()]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), "utf-8")


if __name__ == "__main__":
    main()
