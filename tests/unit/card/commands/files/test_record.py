"""READ RECORD and UPDATE RECORD."""

from __future__ import annotations

import pytest

from tests.support import profiles
from tests.support.testcard import TestCard

SELECT_LINEAR = f"00A4000C02{profiles.OPEN_LINEAR:04X}"
SELECT_CYCLIC = f"00A4000C02{profiles.OPEN_CYCLIC:04X}"
SELECT_TRANSPARENT = f"00A4000C02{profiles.OPEN_TRANSPARENT:04X}"
NEXT, PREVIOUS, CURRENT = "00B2000200", "00B2000300", "00B2000400"


@pytest.fixture
def card() -> TestCard:
    card = TestCard.new()
    card.ok(SELECT_LINEAR)
    return card


def read(card: TestCard, *commands: str) -> list[str]:
    """Return data, or the status word where there are none."""
    return [answer.data or answer.sw for answer in (card.send(command) for command in commands)]


def test_absolute(card: TestCard) -> None:
    assert read(card, "00B2010403", "00B2030400") == ["A1A1A1", "A3A3A3"]
    assert read(card, CURRENT) == ["6A83"], "an absolute access sets no record pointer"


def test_next_from_the_start_to_the_end(card: TestCard) -> None:
    assert read(card, NEXT, NEXT, NEXT, NEXT, CURRENT) == ["A1A1A1", "A2A2A2", "A3A3A3", "6A83", "A3A3A3"]


def test_previous_from_the_end_to_the_start(card: TestCard) -> None:
    assert read(card, PREVIOUS, PREVIOUS, PREVIOUS, PREVIOUS, CURRENT) == [
        "A3A3A3", "A2A2A2", "A1A1A1", "6A83", "A1A1A1",
    ]  # fmt: skip


def test_a_cyclic_file_goes_round(card: TestCard) -> None:
    card.ok(SELECT_CYCLIC)
    assert read(card, NEXT, NEXT, NEXT, NEXT) == ["000003", "000002", "000001", "000003"]
    card.ok(SELECT_CYCLIC)
    assert read(card, PREVIOUS, PREVIOUS, PREVIOUS, PREVIOUS) == ["000001", "000002", "000003", "000001"]


def test_by_sfi(card: TestCard) -> None:
    card.ok("00A4000C023F00")
    assert read(card, "00B202B400", "00B2010403") == ["A2A2A2", "A1A1A1"]
    assert read(card, NEXT, "00B200B200", "00B200B200") == ["A1A1A1"] * 3, "an SFI begins anew"


@pytest.mark.parametrize(("raw", "sw"), [("00B2010401", "6C03"), ("00B2010404", "6C03"), ("00B20104FF", "6C03")])
def test_wrong_le(card: TestCard, raw: str, sw: str) -> None:
    assert card.send(raw) == ("", sw)


@pytest.mark.parametrize(
    ("sw", "raw"),
    [
        ("6A83", "00B2040400"),
        ("6A83", "00B2FF0400"),
        ("6A83", "00B2000400"),  # no current record
        ("6700", "00B20104"),
        ("6A86", "00B2010200"),  # next takes no number
        ("6A86", "00B2010000"),
        ("6A86", "00B2010500"),
        ("6A86", "00B201FC00"),  # SFI 31
        ("6A82", "00B201CC00"),  # SFI 25 is not there
        ("6981", "00B201DC00"),  # SFI 21 is transparent
    ],
)
def test_read_refused(card: TestCard, sw: str, raw: str) -> None:
    card.refused(sw, raw)


def test_a_transparent_file(card: TestCard) -> None:
    card.ok(SELECT_TRANSPARENT)
    card.refused("6981", "00B2010400")
    card.refused("6981", "00DC010403A0A0A0")


def test_nothing_selected(card: TestCard) -> None:
    card.ok("00A4000C023F00")
    card.refused("6986", "00B2010400")


def test_update(card: TestCard) -> None:
    card.ok("00DC020403BBBBBB")
    card.ok("00DC01B403AAAAAA")
    reopened = card.reopened()
    assert [reopened.record(profiles.OPEN_LINEAR, n).hex() for n in (1, 2, 3)] == ["aaaaaa", "bbbbbb", "a3a3a3"]


def test_update_moves_the_pointer_only_by_next_and_previous(card: TestCard) -> None:
    card.ok("00DC000203111111")
    card.ok("00DC000203222222")
    card.ok("00DC030403333333")
    assert read(card, CURRENT) == ["222222"]
    card.ok("00DC000303444444")
    assert read(card, CURRENT, "00B2020400", "00B2030400") == ["444444", "222222", "333333"]


@pytest.mark.parametrize(
    ("sw", "raw"),
    [
        ("6700", "00DC0104"),
        ("6700", "00DC010402AAAA"),
        ("6700", "00DC010404AAAAAAAA"),
        ("6A83", "00DC040403AAAAAA"),
        ("6A83", "00DC000403AAAAAA"),
        ("6A86", "00DC010303AAAAAA"),
    ],
)
def test_update_refused(card: TestCard, sw: str, raw: str) -> None:
    card.refused(sw, raw)


def test_a_cyclic_file_takes_a_new_first_record(card: TestCard) -> None:
    card.ok(SELECT_CYCLIC)
    card.ok("00DC000303000004")
    assert read(card, CURRENT, "00B2010400", "00B2020400", "00B2030400") == ["000004", "000004", "000003", "000002"]


@pytest.mark.parametrize("raw", ["00DC010403000009", "00DC000203000009"])
def test_a_cyclic_file_is_not_written_in_any_other_way(card: TestCard, raw: str) -> None:
    card.ok(SELECT_CYCLIC)
    card.refused("6981", raw)


def test_each_operation_needs_its_own_right(card: TestCard) -> None:
    card.ready()
    card.ok("00A4000C026FB7")
    assert card.send("00B2010400").sw == "9000"
    card.refused("6982", "00DC01040411F2FF00")
    card.verify(0x0A, profiles.ADM1)
    card.ok("00DC01040411F2FF00")
