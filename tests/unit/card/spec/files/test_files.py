"""The tables of files hold together."""

from __future__ import annotations

import pytest

from card.spec.files.rows import EfRow, Structure
from tests.unit.card.spec.rows import ALL_FILES, TABLES


@pytest.mark.parametrize("name", TABLES)
def test_identifiers_are_unique_in_their_directory(name: str) -> None:
    rows = TABLES[name]
    assert len({row.fid for row in rows}) == len(rows)
    assert len({row.name for row in rows}) == len(rows)
    sfis = [row.sfi for row in rows if row.sfi]
    assert len(set(sfis)) == len(sfis)


@pytest.mark.parametrize("row", ALL_FILES, ids=lambda row: row.name)
def test_row(row: EfRow) -> None:
    assert 0 <= row.sfi <= 30
    assert row.size > 0
    assert not row.structure.is_directory
    assert row.structure.has_records or not row.records
    assert len(row.default) <= row.size
    assert row.ref.clause
    assert row.examples == () or row.codec


def test_the_usim_table_is_there() -> None:
    assert {"UICC_FILES", "USIM_FILES"} <= set(TABLES)


@pytest.mark.parametrize("structure", Structure)
def test_a_structure_is_a_directory_or_a_file(structure: Structure) -> None:
    assert not (structure.is_directory and structure.has_records)
