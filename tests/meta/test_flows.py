"""Each step of OMA's flows is proved by a test, and the page that says so is up to date."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import make_flows
from tools.make_flows import STEPS, FlowError, Mark, collect, problems

MARKS = collect(make_flows.TESTS)
_MARK = "import pytest\n@pytest.mark." + "flow"


def test_every_step_is_proved_and_every_mark_names_a_step() -> None:
    assert problems(MARKS) == []


def test_the_page_is_up_to_date() -> None:
    assert make_flows.PAGE.read_text("utf-8") == make_flows.page(MARKS), make_flows.REMEDY


def test_every_clause_of_service_provisioning_is_there() -> None:
    clauses = {clause for source, clause in STEPS if source == "002"}
    assert clauses == {f"5.4.7.2.{number}" for number in (3, 4, 5, 6, 8, 9, 10, 12, 13, 14, 15)}  # 7 and 11 are empty
    assert {clause for source, clause in STEPS if source == "003"} == {f"6.9.2.{number}" for number in range(1, 6)}


def test_a_step_without_a_test_and_a_mark_without_a_step_are_found() -> None:
    lacking = [mark for mark in MARKS if (mark.clause, mark.step) != ("5.4.7.2.4", "8")]
    assert problems(lacking) == ["step 002 5.4.7.2.4 8 has no test"]
    more = [*MARKS, Mark("a.py", "test_a", "002", "5.4.7.2.4", "9", "m")]
    assert problems(more) == ["a.py: test_a names step 9 of 002 5.4.7.2.4"]


@pytest.mark.parametrize(
    "arguments", ['("002", "5")', '("002", "5", step=1, message="m")', '("002", step="1", message="m")']
)
def test_a_mark_that_cannot_be_read_is_an_error(tmp_path: Path, arguments: str) -> None:
    (tmp_path / "test_x.py").write_text(f"{_MARK}{arguments}\ndef test_a(): ...\n")
    with pytest.raises(FlowError, match=r"test_x.py:2: a mark is flow"):
        collect(tmp_path)
