"""A comparison on the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from host_tools.compare.model import CommandTiming, Comparison, Difference, Spread
from host_tools.compare.words import step_words, title, verdict
from host_tools.trace.printable import printable

_MOST_ROWS = 200


def print_comparison(comparison: Comparison, console: Console, *, show_allowed: bool = False) -> None:
    """Print what differs (with `show_allowed` also what may), the times, and the verdict."""
    rows = [row for row in _rows(comparison) if show_allowed or not row[2].allowed]
    if rows:
        console.print(_differences(rows[:_MOST_ROWS], comparison))
    if len(rows) > _MOST_ROWS:
        console.print(f"and {len(rows) - _MOST_ROWS} more; --html and --json have them all")
    console.print(_timing(comparison))
    console.print(printable(verdict(comparison)), style="green" if comparison.is_allowed else "red", markup=False)


def _rows(comparison: Comparison) -> Iterator[tuple[str, str, Difference]]:
    for found in comparison.general:
        yield "", "the card", found
    for number, pair in enumerate(comparison.pairs, 1):
        for found in pair.differences:
            yield str(number), f"{step_words(pair)}\n{title(pair)}", found
    for row in comparison.timing:
        if row.difference is not None:
            yield "", row.command, row.difference


def _differences(rows: list[tuple[str, str, Difference]], comparison: Comparison) -> Table:
    table = Table("", "step and command", "kind", "where", "A", "B", "allowed because", title="Differences")
    table.caption = escape(printable(f"A: {comparison.a.name}   B: {comparison.b.name}"))
    for number, what, found in rows:
        cells = (printable(cell) for cell in (found.kind.value, found.where, found.a, found.b, found.allowed))
        style = "dim" if found.allowed else ""
        table.add_row(number, *map(escape, (printable(what, keep="\n"), *cells)), style=style)
    return table


def _timing(comparison: Comparison) -> Table:
    table = Table("command", title="Time per command in ms")
    for heading in ("A count", "A median", "A p95", "B count", "B median", "B p95", "B : A"):
        table.add_column(heading, justify="right")
    for row in comparison.timing:
        table.add_row(row.command, *_figures(row.a), *_figures(row.b), _ratio(row))
    return table


def _figures(spread: Spread | None) -> tuple[str, str, str]:
    if spread is None:
        return "", "", ""
    return str(spread.count), f"{spread.median * 1000:.2f}", f"{spread.p95 * 1000:.2f}"


def _ratio(row: CommandTiming) -> str:
    return f"{row.b.median / row.a.median:.1f}" if row.a and row.b and row.a.median else ""
