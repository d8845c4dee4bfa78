"""The books of the chaos at the end of a run: what the sheets of its tests add up to."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal

from tests.support.chaos.books import Books
from tests.support.chaos.reporting import Entry, as_json, table
from tests.support.chaos.sheet import Sheet


def _books(spent: str, granted: int, purses: int) -> Books:
    none = frozenset[str]()
    return Books(Decimal(spent), Counter(), granted, purses, none, none, none, frozenset(), 0, none, 0)


def _entries() -> list[Entry]:
    good, lost, twice = Sheet(cuts=1200), Sheet(cuts=34), Sheet(kills=1)
    good.strike(_books("4.00", 20, 20), 2, 400, 20)
    lost.strike(_books("2.00", 10, 4), 1, 200, 10)
    twice.strike(_books("1.00", 10, 20), 1, 100, 10)
    return [
        Entry("tests/chaos/test_cut.py::test_every_octet[token purchase-sqlite-0]", seconds=2.0, sheet=good),
        Entry("tests/chaos/test_cut.py::test_every_octet[token purchase-sqlite-1]", "failed", 1.0, lost),
        Entry("tests/chaos/test_killed.py::test_killed[tokens, postgresql]", "failed", 0.5, twice),
    ]


def test_each_function_and_store_has_a_row_and_what_nobody_counted_no_column() -> None:
    head, cut, killed, total, words = [line.split() for line in table(_entries())]
    assert head == ["cuts", "kills", "bought", "tokens", "lost", "twice"]
    assert cut == ["cut:", "every", "octet", "1,234", "0", "3", "24", "6", "0"]
    assert killed == ["killed:", "killed,", "PostgreSQL", "0", "1", "1", "20", "0", "10"]
    assert total == ["all", "1,234", "1", "4", "44", "6", "10"]
    assert " ".join(words) == (
        "3 tests (2 failed) in 4 s: 4 purchases for 7.00, charged 7.00; 40 tokens bought, 40 sold, 44 in the purses; "
        "6 lost, 10 twice"
    )


def test_the_file_has_each_test_and_the_sum() -> None:
    found = json.loads(as_json(_entries()))
    assert [(one["outcome"], one["cuts"], one["lost"]) for one in found["tests"]] == [
        ("passed", 1200, 0),
        ("failed", 34, 6),
        ("failed", 0, 0),
    ]
    assert (found["all"]["cuts"], found["all"]["lost"], found["all"]["twice"]) == (1234, 6, 10)
