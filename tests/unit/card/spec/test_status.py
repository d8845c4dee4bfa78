"""Every status word has one row, and every row can be told."""

from __future__ import annotations

import pytest

from card.spec.status import (
    STATUS_ROWS,
    SW,
    describe,
    find_row,
    is_normal,
    response_available,
    verification_failed,
    wrong_le,
)


def test_rows_are_unique() -> None:
    values = [row.value for row in STATUS_ROWS]
    assert sorted(set(values)) == sorted(values)
    meanings = [(row.meaning, row.value >> 8) for row in STATUS_ROWS]
    assert sorted(set(meanings)) == sorted(meanings)


@pytest.mark.parametrize("sw", SW, ids=lambda sw: sw.name)
def test_every_name_has_a_row_of_its_own(sw: SW) -> None:
    row = find_row(sw)
    assert row is not None
    assert row.value == sw
    assert describe(sw) == f"{sw:04X}: {row.meaning}"


def test_numbers_inside_a_status_word() -> None:
    assert (verification_failed(2), response_available(0x1C), wrong_le(9)) == (0x63C2, 0x611C, 0x6C09)
    assert (response_available(256), response_available(5000), wrong_le(256)) == (0x6100, 0x6100, 0x6C00)
    assert verification_failed(40) == 0x63CF
    assert describe(0x63C2).endswith("2 tries left")
    assert describe(0x6100).endswith("(256)")
    assert describe(0x6C09).endswith("(9)")


def test_an_exact_row_goes_before_its_family() -> None:
    exact = find_row(SW.MORE_COMMAND)
    assert exact is not None
    assert exact.mask == 0xFFFF
    assert exact.value == 0x63F1


@pytest.mark.parametrize("sw", [0x0000, 0x6CF, 0x6FFF, 0x9999, 0xFFFF])
def test_unknown(sw: int) -> None:
    assert find_row(sw) is None
    assert "unknown" in describe(sw)


def test_normal_endings() -> None:
    assert all(is_normal(sw) for sw in (0x9000, 0x910B, 0x6110, 0x62F3, 0x6283))
    assert not any(is_normal(sw) for sw in (0x63F1, 0x63C0, 0x6700, 0x6982, 0x9862, 0x6F00))
