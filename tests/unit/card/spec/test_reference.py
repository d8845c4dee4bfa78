"""The reference pages know every command and every file."""

from __future__ import annotations

from pathlib import Path

from card.commands.table import ALL_ROWS
from card.spec.files.catalogue import all_directories, all_files

PAGES = Path(__file__).parents[4] / "docs/spec"
REMEDY = "run tools/make_reference.py"


def test_every_command_is_there() -> None:
    page = (PAGES / "commands.md").read_text("utf-8")
    missing = [row.name for row in ALL_ROWS if f"| {row.name} |" not in page or f"| {row.ins:02X} |" not in page]
    assert missing == [], REMEDY


def test_every_file_is_there() -> None:
    page = (PAGES / "files.md").read_text("utf-8")
    assert [row.name for _, row in all_files() if f"| {row.name} | {row.fid:04X} |" not in page] == [], REMEDY
    assert [path for path, _ in all_directories() if f"({path})" not in page] == [], REMEDY
