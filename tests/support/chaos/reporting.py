"""The books of the chaos: at the end of a run one table over all its tests, and a JSON file where one is asked for.

A part of pytest that `tests/conftest.py` loads. Each test that fills a `Sheet` has it in the properties of its report.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.chaos.sheet import PROPERTY, Sheet

_OPTION = "--chaos-json"
_COLUMNS = {
    "balances": "struck",
    "cuts": "cuts",
    "deaths": "deaths",
    "kills": "kills",
    "failures": "db failed",
    "requests": "orders sent",
    "resent": "again",
    "ltkms": "LTKMs",
    "again": "again",
    "verified": "verified",
    "hostile": "hostile",
    "defects": "defects",
    "orders": "bought",
    "tokens_held": "tokens",
    "lost": "lost",
    "twice": "twice",
}


@dataclass
class Entry:
    """One test: how it ended, how long it took, and what it counted."""

    node: str
    outcome: str = "passed"
    seconds: float = 0.0
    sheet: Sheet | None = None


@dataclass(eq=False)
class BooksOfTheChaos:
    """Hears every report; in the process that sums up they come from all others."""

    entries: dict[str, Entry] = field(default_factory=dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note one step of a test; the counts are whole when its fixtures have ended."""
        entry = self.entries.setdefault(report.nodeid, Entry(report.nodeid))
        entry.seconds += report.duration
        if not report.passed:
            entry.outcome = report.outcome
        if report.when == "teardown":
            found = dict(report.user_properties).get(PROPERTY)
            if isinstance(found, dict):
                entry.sheet = Sheet.of(found)
            else:
                del self.entries[report.nodeid]

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
    ) -> None:
        """Write the table, and the file."""
        counted = [entry for entry in self.entries.values() if entry.sheet is not None]
        if not counted:
            return
        terminalreporter.section("books of the chaos")
        for line in table(counted):
            terminalreporter.write_line(line)
        if (file := config.getoption(_OPTION)) is not None:
            Path(file).write_text(as_json(counted))


def table(entries: list[Entry]) -> Iterator[str]:
    """Yield the lines: a row for each test function and kind of store, and their sum.

    A column in which nobody counted anything is left out.
    """
    rows: dict[str, Sheet] = {}
    total, seconds = Sheet(), 0.0
    for entry in entries:
        assert entry.sheet is not None
        for of in (rows.setdefault(_row(entry.node), Sheet()), total):
            of.add(entry.sheet)
        seconds += entry.seconds
    rows["all"] = total
    shown = [name for name in _COLUMNS if getattr(total, name) or name in ("lost", "twice")]
    lines = [["", *(_COLUMNS[name] for name in shown)]]
    lines += [[row, *(f"{getattr(sheet, name):,}" for name in shown)] for row, sheet in rows.items()]
    widths = [max(len(line[at]) for line in lines) for at in range(len(shown) + 1)]
    for first, *others in lines:
        cells = [one.rjust(width) for one, width in zip(others, widths[1:], strict=True)]
        yield "  ".join((first.ljust(widths[0]), *cells))
    failed = sum(entry.outcome == "failed" for entry in entries)
    yield (
        f"{len(entries)} tests ({failed} failed) in {seconds:,.0f} s: {total.orders:,} purchases for "
        f"{total.owed / 100:,.2f}, charged {total.charged / 100:,.2f}; {total.tokens_owed:,} tokens bought, "
        f"{total.tokens_granted:,} sold, {total.tokens_held:,} in the purses; {total.lost} lost, {total.twice} twice"
    )


def as_json(entries: list[Entry]) -> str:
    """Return all counts of each test, and their sum, as JSON text."""
    total = Sheet()
    for entry in entries:
        assert entry.sheet is not None
        total.add(entry.sheet)
    tests = [
        {
            "test": entry.node,
            "outcome": entry.outcome,
            "seconds": round(entry.seconds, 1),
            **(entry.sheet or Sheet()).plain(),
        }
        for entry in entries
    ]
    return json.dumps({"tests": tests, "all": total.plain()}, indent=1) + "\n"


def _row(node: str) -> str:
    """Name the row of a test: its function, and the kind of store where that is not SQLite."""
    function, _, parameters = node.rpartition("/")[2].partition("[")
    named = function.replace("test_", "").replace(".py::", ": ").replace("_", " ")
    return named + (", PostgreSQL" if "postgresql" in parameters else "")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that names a file for the counts."""
    parser.addoption(_OPTION, metavar="FILE", help="write the books of the chaos (tests/chaos) to this file, as JSON")


def pytest_configure(config: pytest.Config) -> None:
    """Begin to listen."""
    config.pluginmanager.register(BooksOfTheChaos(), "books of the chaos")
