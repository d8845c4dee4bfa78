"""Prints descriptions of cards and their differences for people."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from card import format_value
from card.spec.aids import application_name
from host_tools.trace.printable import printable

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

    from card import Difference

Record = Mapping[str, Any]  # the plain dicts of `card.inspect_card`

_SHOWN_HEX = 96
_PIPE_WIDTH = 10_000
_HEX_DIGITS = "0123456789ABCDEF"
_BARE_TABLES = {"sequence numbers"}
_IDENTITIES = {"naf_id", "b_tid", "id_i", "id_r"}


def print_card(title: str, description: Record) -> None:
    """Print a whole card as a tree on standard output; to a pipe, one line for each item however long it is."""
    from rich.tree import Tree

    from host_tools.cli.rich_console import Console

    root = Tree(_text(title, "bold"))
    _add_files(root.add(_text("files", "bold")), description["files"])
    for name, records in description.items():
        if name != "files":
            _add_records(root.add(_text(name, "bold")), records, bare=name in _BARE_TABLES)
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    Console(width=width, highlight=False).print(root)


def print_differences(left: str, right: str, differences: Iterable[Difference]) -> None:
    """Print what differs like a diff: a place, then what A and B have there; nothing when nothing differs."""
    differences = list(differences)
    if not differences:
        return
    click.echo(f"--- {printable(left)}\n+++ {printable(right)}")
    decoded = {_subject(d) for d in differences if _is_part(d, "value") and None not in (d.left, d.right)}
    for difference in differences:
        if (_is_part(difference, "content") or _is_part(difference, "record")) and _subject(difference) in decoded:
            continue  # the decoded value says it better
        for line in _difference_lines(difference):
            click.echo(line)


def _is_part(difference: Difference, kind: str) -> bool:
    """Tell whether the difference is in this part of a file, in all of it or in a record."""
    place = difference.place
    return place[0] == "files" and len(place) > 2 and place[2].removesuffix("s") == kind


def _subject(difference: Difference) -> tuple[str, tuple[str, ...]]:
    """Return the path of the file and what follows the part of it: the record's number, if any."""
    return difference.place[1], difference.place[3:]


def _difference_lines(difference: Difference) -> Iterator[str]:
    head, *rest = difference.place
    if difference.name:
        head, *rest = f"{rest[0]} {difference.name}", *rest[1:]
    yield click.style(" > ".join(printable(part) for part in (head, *rest)), bold=True)
    left, right = difference.left, difference.right
    if left == right:
        yield f"  differs, {left}"
        return
    start = _common_bytes(left, right)
    for value, sign, colour in ((left, "-", "red"), (right, "+", "green")):
        if value is not None:
            yield click.style(f"  {sign} {_summary(value, start)}", fg=colour)


def _common_bytes(left: Any, right: Any) -> int:
    """Return how many bytes two long contents have in common at their beginning; those need not be shown."""
    if not (_is_hex(left) and _is_hex(right) and max(len(left), len(right)) > _SHOWN_HEX):
        return 0
    pairs = enumerate(zip(left, right, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(left), len(right))) // 2


def _summary(value: Any, start: int = 0) -> str:
    if _is_hex(value):
        return f"{f'from byte {start}: ' if start else ''}{_hex(value[2 * start :])}"
    if isinstance(value, dict) and "structure" in value:
        return _headline(value)
    return _one_line(value)


# --- files


def _add_files(root: Tree, files: Record) -> None:
    """Hang every file under its directory; an ADF hangs under the MF, a file without directory under the top."""
    branches: dict[str, Tree] = {}
    for path, file in _parents_first(files):
        parent = branches.get(_parent_of(path, file), root)
        branches[path] = branch = parent.add(_file_label(path, file))
        for line in _record_lines(file):
            branch.add(line)


def _parents_first(files: Record) -> list[tuple[str, Record]]:
    """Return EFs before directories in each directory, and every directory before what is in it."""
    is_directory = {path: "access" in file and "size" not in file for path, file in files.items()}
    return sorted(files.items(), key=lambda item: (item[0].count("/") + ("ADF" in item[0]), is_directory[item[0]]))


def _parent_of(path: str, file: Record) -> str:
    if file["structure"] == "adf":
        return "3F00"
    return path.rpartition("/")[0]


def _file_label(path: str, file: Record) -> Text:
    label = _text(_headline(file, path), "cyan" if "size" not in file else "")
    for line in _content_lines(file):
        label.append(f"\n  {line}", style="green" if line.startswith("=") else "dim")
    return label


def _headline(file: Record, path: str = "") -> str:
    # Every ADF has the FID 7FFF; it is known by its path.
    parts = [path if file["structure"] == "adf" else f"{file['fid']} {printable(file['name'])}"]
    if "aid" in file:
        name = application_name(bytes.fromhex(str(file["aid"])))
        parts.append(f"AID {file['aid']}" + (f" ({name})" if name else ""))
    if "record_count" in file:
        parts.append(f"{file['structure']} {file['record_count']} x {file['record_length']}")
    elif "size" in file:
        parts.append(f"{file['structure']} {file['size']}")
    if "sfi" in file:
        parts.append(f"SFI {file['sfi']:02X}")
    if file["life_cycle"] != "activated":
        parts.append(str(file["life_cycle"]))
    if "size" in file:
        parts.append(_access(file["access"]))
    return "  ".join(parts)


def _access(access: Record) -> str:
    """Return the conditions worth a reader's eye: to read, update and increase."""
    return ", ".join(f"{name} {access[name]}" for name in ("read", "update", "increase") if name in access)


def _content_lines(file: Record) -> Iterator[str]:
    if "value" in file:
        yield f"= {printable(format_value(file['value'])) or '(none)'}"
    elif "content" in file:
        yield _hex(file["content"])
    if "view" in file:
        yield f"the content of {printable(file['view'])}"
    if "problem" in file:
        yield f"! {file['problem']}"


def _record_lines(file: Record) -> Iterator[Text]:
    """Yield a line for each data object, each record that is not empty (equal ones share it), and for the empty."""
    for tag, value in file.get("objects", {}).items():
        yield _text(f"{tag}  {_hex(value)}", "dim")
    records, values = file.get("records", {}), file.get("values", {})
    for content, numbers in _by_value(records):
        if not content.strip("F"):
            yield _text(f"{len(numbers)} of {len(records)} records empty", "dim")
        elif numbers[0] in values:
            yield _text(f"{_span(numbers)}  = {format_value(values[numbers[0]])}", "green")
        else:
            yield _text(f"{_span(numbers)}  {_hex(content)}", "dim")


def _by_value(entries: Record) -> list[tuple[str, list[str]]]:
    """Return each value with the names that have it, in the order in which the values come first."""
    names: dict[str, list[str]] = {}
    for name, value in entries.items():
        names.setdefault(str(value), []).append(name)
    return list(names.items())


def _span(names: list[str]) -> str:
    return f"{names[0]} to {names[-1]} ({len(names)})" if len(names) > 3 else ", ".join(names)


def _hex(content: str) -> str:
    """Return hex fit for a line: filling at the end counted, the rest cut where it is long."""
    if content.startswith("hidden"):
        return content
    body = content[: len(content.rstrip("F")) + 1 & ~1]
    filling = (len(content) - len(body)) // 2
    if not body:
        return f"empty ({filling} x FF)"
    shown = body if len(body) <= _SHOWN_HEX else f"{body[:_SHOWN_HEX]}… ({len(body) // 2} bytes)"
    return f"{shown} + {filling} x FF" if filling > 1 else content if len(content) <= _SHOWN_HEX else shown


# --- records


def _add_records(branch: Tree, records: Record, *, bare: bool = False) -> None:
    """Add a table: nested where its values are tables themselves, one line for each record.

    In a `bare` table the innermost entries are not fields of a record but values on their own.
    """
    for name, record in records.items():
        if isinstance(record, dict) and any(isinstance(part, dict) for part in record.values()):
            _add_records(branch.add(_text(name, "cyan")), record, bare=bare)
        elif bare and isinstance(record, dict):
            _add_numbers(branch.add(_text(name, "cyan")), record)
        else:
            label = _text(name, "cyan")
            branch.add(label.append(f"  {_one_line(record)}", style="default"))


def _add_numbers(branch: Tree, record: Record) -> None:
    """Add a table of bare values; equal ones share a line (the slots of a sequence number scheme)."""
    for value, names in _by_value(record):
        branch.add(_text(f"{_span(names)}  {value}"))


def _is_hex(value: object) -> bool:
    return isinstance(value, str) and len(value) >= 2 and len(value) % 2 == 0 and not value.strip(_HEX_DIGITS)


def _one_line(record: Any) -> str:
    if not isinstance(record, dict):
        return printable(format_value(record))
    return ", ".join(f"{printable(name.replace('_', ' '))} {_field(name, value)}" for name, value in record.items())


def _field(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return f"({_one_line(value)})"
    return _identity(value) if name in _IDENTITIES and _is_hex(value) else printable(format_value(value))


def _identity(value: str) -> str:
    """Return a NAF_Id, B-TID or MIKEY identity as people know it: text, and the bytes that may follow it in hex."""
    data = bytes.fromhex(value)
    end = next((index for index, byte in enumerate(data) if not 0x20 < byte < 0x7F), len(data))
    if end < 2:
        return value
    return f"{data[:end].decode('ascii')}{' + ' if data[end:] else ''}{data[end:].hex().upper()}"


def _text(content: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(printable(content), style=style)
