"""A card in the test's own process: fast, one new card for each test."""

from __future__ import annotations

import pytest

from card.spec.status import SW
from host_tools.pytest_plugin.uicc import Uicc


def test_the_mf_is_where_everything_begins(uicc: Uicc) -> None:
    answer = uicc.send("00 A4 00 04 02 3F00 00")
    assert answer.sw == SW.OK
    assert answer.tlv("62/83") == bytes.fromhex("3F00")


def test_a_file_that_is_not_there(uicc: Uicc) -> None:
    assert uicc.send("00A40004 02 2F77 00").sw == SW.FILE_NOT_FOUND


@pytest.mark.uicc_profile("my-card.toml")
def test_a_card_of_ones_own(uicc: Uicc) -> None:
    uicc.send("00A4000C 02 2FE2")
    assert uicc.send("00B00000 0A").data == bytes.fromhex("98 00 01 01 00 00 00 00 10 F9")


def test_three_wrong_pins_block(uicc: Uicc) -> None:
    wrong = "00 20 00 01 08 39393939FFFFFFFF"
    assert [uicc.send(wrong).sw for _ in range(3)] == [0x63C2, 0x63C1, 0x63C0]
    assert uicc.send(wrong).sw == SW.METHOD_BLOCKED
