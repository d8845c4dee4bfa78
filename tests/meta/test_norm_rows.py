"""Each row of the 3GPP texts is proved by a test, and the page that says so is up to date."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import norm_rows
from tools.norm_rows import Kind, Mark, Row, RowError, collect, parse_rows, problems

ROWS = parse_rows(norm_rows.DATA.read_text("utf-8"), norm_rows.DATA.name)
MARKS = collect(norm_rows.TESTS)
ENTRY = '[[row]]\nnumber = 1\nrule = "r"\nclause = "c"\nkind = "%s"\n'


def test_every_row_is_proved_and_every_mark_names_a_row() -> None:
    assert problems(ROWS, MARKS) == []


def test_the_page_is_up_to_date() -> None:
    assert norm_rows.PAGE.read_text("utf-8") == norm_rows.page(ROWS, MARKS), norm_rows.REMEDY


def test_all_rows_are_there() -> None:
    assert len(ROWS) == 74
    assert {row.number for row in ROWS if row.later} == {64}
    assert {row.number for row in ROWS if row.partly} == set()


def test_a_row_without_a_test_and_a_mark_without_a_row_are_found() -> None:
    rows = [Row(1, "a", "c", Kind.WRONG), Row(2, "b", "c", Kind.THIN), Row(3, "f", "c", Kind.FREE, documented="d")]
    found = problems(rows, [Mark("unit/test_x.py", "test_y", "2"), Mark("test_z.py", "", "75")])
    assert found == [
        "row 1 has no test: a",
        "test_z.py: the file names row '75', which norm-rows.toml does not have",
    ]


# Written in pieces, or these lines would be marks of this file.
_MARK = "@pytest.mark." + "norm"
SOURCE = f"""
pytestmark = pytest.mark.{"norm"}("1")
{_MARK}("2", "3")
def test_a(): ...
class TestB:
    @pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.{"norm"}("4"))])
    async def test_c(self, x): ...
TestD = pytest.mark.{"norm"}("5")(Machine.TestCase)
"""


def test_marks_are_read_wherever_they_stand(tmp_path: Path) -> None:
    (tmp_path / "unit").mkdir()
    (tmp_path / "unit/test_x.py").write_text(SOURCE)
    assert collect(tmp_path) == [
        Mark("unit/test_x.py", "", "1"),
        Mark("unit/test_x.py", "TestB::test_c", "4"),
        Mark("unit/test_x.py", "TestD", "5"),
        Mark("unit/test_x.py", "test_a", "2"),
        Mark("unit/test_x.py", "test_a", "3"),
    ]


def test_a_mark_that_must_be_computed_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "test_x.py").write_text(f"{_MARK}(*ROWS)\ndef test_a(): ...\n")
    with pytest.raises(RowError, match=r"test_x.py:1: .* plain strings"):
        collect(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ENTRY % "X", "row 1: number '?1'? or kind 'X' is none"),
        (ENTRY % "F", "row 1: `documented` belongs to kind F"),
        (ENTRY % "W" + 'documented = "d"', "row 1: `documented` belongs to kind F"),
        (ENTRY % "F" + 'documented = "d"\nlater = "l"', "row 1: `documented` belongs to kind F"),
        (ENTRY % "W" + 'quote = "q"', r"row 1: unknown fields \['quote'\]"),
        (ENTRY % "W" + 'later = ""', "row 1: texts must have one line"),
        (ENTRY % "W" + ENTRY % "W", r"numbered 1, 2, 3 and so on, found \[1, 1\]"),
    ],
)
def test_rows_that_cannot_be_used(text: str, message: str) -> None:
    with pytest.raises(RowError, match=message):
        parse_rows(text, "rows.toml")
