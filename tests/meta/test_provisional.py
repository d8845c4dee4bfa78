"""The list of provisional values is the one that the code would write today."""

from __future__ import annotations

import runpy

from tests.meta.tree import ROOT

TOOL = runpy.run_path(str(ROOT / "tools/make_provisional.py"))


def test_the_page_is_up_to_date() -> None:
    written = (ROOT / "docs/spec/provisional-rows.md").read_text("utf-8")
    assert written == TOOL["page"](), "run tools/make_provisional.py"


def test_rows_and_remarks_are_found() -> None:
    where = {row.where for row in TOOL["rows"]()}
    assert {
        "spec/provisional.py, CAPACITY[msk_groups]",
        "spec/bcast/p1.py, P1",
        "commands/bcast/command.py, ROWS",
    } <= where
    assert not [place for place in where if "_BY_CODE" in place], "a table made of another one"
    assert "card/domain/keys/bcmcs.py" in {path for path, _ in TOOL["remarks"]()}


def test_what_a_source_settled_is_not_listed() -> None:
    assert all(row.ref.provisional for row in TOOL["rows"]())
