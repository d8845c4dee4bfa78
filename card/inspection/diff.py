"""What differs between two cards, secrets included but not shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from card.inspection.inspect import Source, describe
from card.inspection.values import Description, Plain, Value, to_plain


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that is not the same. `place` leads to it from the top of the description.

    `left` and `right` are None where the card has no such value. `name` is the name of the file it is in, if any.
    """

    place: tuple[str, ...]
    left: Plain
    right: Plain
    name: str = ""


def diff_cards(left: Source, right: Source, *, reveal: bool = False) -> list[Difference]:
    """Compare two cards (card files, or profiles) value by value; equal cards give an empty list.

    Secrets are compared too; without `reveal` both sides then show only their length. Raises as `inspect_card`.
    """
    one, other = describe(left), describe(right)
    names = {**_file_names(other), **_file_names(one)}
    return [
        Difference(place, to_plain(a, reveal=reveal), to_plain(b, reveal=reveal), _name_for(place, names))
        for place, a, b in _walk((), one, other)
    ]


def _walk(place: tuple[str, ...], one: Value, other: Value) -> Iterator[tuple[tuple[str, ...], Value, Value]]:
    a, b = _as_table(one, other), _as_table(other, one)
    if a is not None and b is not None:
        for key in (*a, *(key for key in b if key not in a)):
            yield from _walk((*place, key), a.get(key), b.get(key))
    elif one != other:
        yield place, one, other


def _as_table(value: Value, beside: Value) -> Description | None:
    """Return a table to walk through; one that is missing beside a table of tables counts as empty."""
    if isinstance(value, dict):
        return value
    is_missing_table = (
        value is None and isinstance(beside, dict) and all(isinstance(part, dict) for part in beside.values())
    )
    return {} if is_missing_table else None


def _file_names(description: Description) -> dict[str, str]:
    files = description.get("files")
    if not isinstance(files, dict):
        return {}
    return {path: str(file["name"]) for path, file in files.items() if isinstance(file, dict) and "name" in file}


def _name_for(place: tuple[str, ...], names: dict[str, str]) -> str:
    return names.get(place[1], "") if place[0] == "files" and len(place) > 1 else ""
