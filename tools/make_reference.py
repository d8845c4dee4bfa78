"""Writes the reference of commands and files (docs/spec/commands.md, docs/spec/files.md) from the rows of the code.

    python tools/make_reference.py

A test is said to cover a command when it sends an APDU with its class and instruction byte, and a file when it names
its identifier. That is a guide to where to look, not a proof.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from card.codec.apdu import ClassFamily  # noqa: E402
from card.commands.registry import CommandRow, Data  # noqa: E402
from card.commands.table import ALL_ROWS  # noqa: E402
from card.spec.files.catalogue import all_directories, all_files  # noqa: E402
from card.spec.files.rows import Access, EfRow  # noqa: E402
from card.spec.refs import Ref  # noqa: E402
from card.spec.services import ISIM_SERVICES, USIM_SERVICES  # noqa: E402
from card.spec.status import SW, describe  # noqa: E402

COMMANDS = ROOT / "docs/spec/commands.md"
FILES = ROOT / "docs/spec/files.md"
_NOTE = "<!-- Written by tools/make_reference.py: do not edit. -->\n"
_CLASS = {
    ClassFamily.INTERINDUSTRY: "[046][0-9A-F]",
    ClassFamily.ETSI: "[8CE][0-9A-F]",
    ClassFamily.GSM: "A0",
    ClassFamily.RFU: "$^",
}
_DATA = {Data.FORBIDDEN: "no", Data.OPTIONAL: "may be", Data.REQUIRED: "yes"}
_MOST_TESTS = 4
_COLUMNS = (
    "file", "FID", "SFI", "structure", "size", "read / update", "service", "content", "specified in", "named in tests",
)  # fmt: skip


def _tests() -> dict[str, str]:
    """Return the text of every test file by its path below tests/, spaces in APDUs taken out."""
    tests = ROOT / "tests"
    return {
        str(path.relative_to(tests)): path.read_text("utf-8")
        for path in sorted(tests.rglob("*"))
        if path.suffix in (".py", ".txt") and "__pycache__" not in path.parts
    }


def _covering(pattern: str, tests: dict[str, str]) -> str:
    expression = re.compile(pattern)
    found = [name for name, text in tests.items() if expression.search(text)]
    listed = ", ".join(f"`{name}`" for name in found[:_MOST_TESTS])
    return listed + (f" and {len(found) - _MOST_TESTS} more" if len(found) > _MOST_TESTS else "")


def _ref(ref: Ref) -> str:
    return str(ref).replace(" (provisional", "<br>(provisional")


def _command_tests(row: CommandRow, tests: dict[str, str]) -> str:
    classes = "|".join(_CLASS[family] for family in row.families)
    return _covering(rf'(["> ])(?:{classes}){row.ins:02X}', tests)


def commands() -> str:
    """Return the page of commands."""
    tests = _tests()
    lines = [
        _NOTE,
        "# Commands\n",
        "Every command the card answers, from its table row: what is checked before the handler runs, what the",
        "errors of the rules become, where it is specified and which tests send it. An instruction that is not here is",
        "answered 6D00, one that exists in another class 6E00.\n",
        "| command | class | INS | data | specified in | errors of its own | tests |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in sorted(ALL_ROWS, key=lambda row: (row.families[0].value, row.ins)):
        classes = ", ".join(family.value for family in row.families)
        errors = "<br>".join(f"{kind.__name__}: {sw:04X}" for kind, sw in row.errors.items())
        errors = "" if row.name.startswith("SIM ") else errors
        covering = _command_tests(row, tests)
        cells = (row.name, classes, f"{row.ins:02X}", _DATA[row.data], _ref(row.ref), errors, covering)
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "## Status words\n", *(f"- {describe(sw)}" for sw in SW), ""]
    return "\n".join(lines)


def _rights(access: Access) -> str:
    rights = f"{access.read.value} / {access.update.value}"
    return rights + (f" / increase {access.increase.value}" if access.increase.value != "never" else "")


def _size(row: EfRow) -> str:
    return f"{row.records or 'n'} x {row.size}" if row.structure.has_records else str(row.size)


def _services(row: EfRow) -> str:
    return " or ".join(map(str, sorted({row.service, *row.further_services}))) if row.service else ""


def _file_line(row: EfRow, tests: dict[str, str]) -> str:
    covering = _covering(rf"(0x|[^0-9A-F]|A4000C02|A4000402|7FFF){row.fid:04X}(?![0-9A-F]{{3}})", tests)
    shows = f"shows {row.view}" if row.view else row.codec or "raw"
    cells = (
        row.name, f"{row.fid:04X}", f"{row.sfi:02X}" if row.sfi else "", row.structure.value, _size(row),
        _rights(row.access), _services(row), shows, _ref(row.ref), covering,
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _sections() -> Iterator[tuple[str, list[EfRow]]]:
    names = {path: f"{directory.name} ({path})" for path, directory in all_directories()}
    places: dict[str, list[EfRow]] = {}
    for path, row in all_files():
        places.setdefault(path.rpartition("/")[0], []).append(row)
    for place, rows in places.items():
        yield names.get(place, "MF (3F00)" if place == "3F00" else place), rows


def files() -> str:
    """Return the page of files."""
    tests = _tests()
    lines = [
        _NOTE,
        "# Files\n",
        "Every file the card knows by itself; a profile may add others. A file with a service number is there when the",
        "service is offered, and the service table says so by the same rule. All of them are selected, read and tried",
        "without the right in `unit/card/commands/files/test_access.py` and `unit/card/spec/files/test_catalogue.py`;",
        "the examples of their contents go there and back in `unit/card/codec/ef/test_ef.py`. Sizes are those of an",
        "ordinary card, in bytes.\n",
    ]
    for title, rows in _sections():
        lines += [
            f"## {title}\n",
            f"| {' | '.join(_COLUMNS)} |",
            "|---" * len(_COLUMNS) + "|",
            *(_file_line(row, tests) for row in rows),
            "",
        ]
    for title, clause, names, root in (
        ("Services of a USIM", "TS 31.102 clause 4.2.8", USIM_SERVICES, "ADF.USIM"),
        ("Services of an ISIM", "TS 31.103 clause 4.2.7", ISIM_SERVICES, "ADF.ISIM"),
    ):
        lines += [
            f"## {title}\n",
            f"All of {clause}, Release 16, with the files of this card that belong to them.\n",
            "| number | service | files |",
            "|---|---|---|",
            *(f"| {number} | {name} | {_files_of(number, root)} |" for number, name in names.items()),
            "",
        ]
    return "\n".join(lines)


def _files_of(service: int, root: str) -> str:
    found = (
        row.name
        for path, row in all_files()
        if path.startswith(f"{root}/")
        and not row.view
        and row.service
        and service in (row.service, *row.further_services)
    )
    return ", ".join(dict.fromkeys(found))


if __name__ == "__main__":
    COMMANDS.write_text(commands(), "utf-8")
    FILES.write_text(files(), "utf-8")
