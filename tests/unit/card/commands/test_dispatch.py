"""What the command table answers by itself: class, instruction, parameters, length, channel."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from card.card import Card
from card.commands import table
from card.commands.registry import CommandRow, Data
from card.commands.session import NO_NOTES
from card.commands.table import ALL_ROWS
from card.errors import CardError, StoreError
from card.filesystem.contents import FileContents
from card.spec.status import SW, SimSW
from card.state.session import Generation
from card.trace import InternalFault
from tests.support.ports import CollectingTrace, FakeClock, SeededRng
from tests.support.testcard import SELECT_USIM, TestCard


@pytest.fixture
def card() -> TestCard:
    return TestCard.new()


@pytest.mark.parametrize("raw", ["", "00", "00A4", "00A400"])
def test_fewer_than_four_bytes(card: TestCard, raw: str) -> None:
    card.refused("6700", raw)


@pytest.mark.parametrize("cla", ["10", "20", "50", "90", "B0", "D0", "F0", "FF"])
def test_reserved_class(card: TestCard, cla: str) -> None:
    card.refused("6E00", cla, "A4000C023F00")


def test_an_instruction_of_the_other_class(card: TestCard) -> None:
    card.refused("6E00", "80A4000C023F00")
    card.refused("6E00", "00F2000C")


@pytest.mark.parametrize("ins", ["00", "02", "60", "90", "F0", "FF"])
def test_unknown_instruction(card: TestCard, ins: str) -> None:
    card.refused("6D00", "00", ins, "0000")


@pytest.mark.parametrize("cla", ["04", "08", "0C", "60", "6F"])
def test_secure_messaging(card: TestCard, cla: str) -> None:
    card.refused("6882", cla, "A4000C023F00")


@pytest.mark.parametrize("cla", ["01", "02", "03", "40", "4F"])
def test_a_channel_that_is_not_open(card: TestCard, cla: str) -> None:
    card.refused("6881", cla, "A4000C023F00")


@pytest.mark.parametrize(
    "raw",
    [
        "00A40004033F00",  # Lc too large
        "00A40004013F00FF",  # Lc too small
        "00D6000000",  # no data to write
        "00B0000001AA",  # data where none belong
    ],
)
def test_wrong_length(card: TestCard, raw: str) -> None:
    card.refused("6700", raw)


def test_parameters_are_judged_before_the_length(card: TestCard) -> None:
    card.refused("6A86", "00A40204033F00")


def test_without_power() -> None:
    card = TestCard.new().card
    card.power_off()
    with pytest.raises(CardError, match="no power"):
        card.transmit(b"\x00\xa4\x00\x0c")


def test_reset_forgets_what_is_volatile(card: TestCard) -> None:
    card.ready()
    assert card.card.reset() == card.card.atr
    fresh: tuple[object, ...] = ({0: ("3F00", "", "", 0)}, frozenset[str](), NO_NOTES, Generation.OPEN)
    assert card.volatile() == fresh


@pytest.mark.parametrize("row", ALL_ROWS, ids=lambda row: row.name)
def test_every_row_refuses_secure_messaging_and_a_closed_channel(card: TestCard, row: CommandRow) -> None:
    for family, bases in (("0X, 4X, 6X", (0x0C, 0x03)), ("8X, CX, EX", (0x8C, 0x83))):
        if family in {item.value for item in row.families}:
            card.refused("6882", bytes((bases[0], row.ins, 0, 0)))
            card.refused("6881", bytes((bases[1], row.ins, 0, 0)))


def test_rows_are_unique_and_cite_a_clause() -> None:
    codes = [(family, row.ins) for row in ALL_ROWS for family in row.families]
    assert len(set(codes)) == len(codes)
    assert all(row.name and row.ref.clause and row.data in Data for row in ALL_ROWS)


def test_every_error_a_row_names_has_a_known_status() -> None:
    known = {int(sw) for sw in (*SW, *SimSW)}
    assert {sw for row in ALL_ROWS for sw in row.errors.values()} - known == set()


def test_a_store_that_cannot_write_is_a_memory_problem(card: TestCard, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_changes: object) -> None:
        raise StoreError("the disk is full")

    card.unlocked()
    monkeypatch.setattr(card.store, "commit", full)
    card.ok("00A4000C026F07")
    card.refused("6581", "00D6000001AA")
    monkeypatch.undo()
    assert card.read(0x6F07)[0] == 8


def test_an_unexpected_exception_is_rolled_back_and_answered_6f00(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = CollectingTrace()
    tested = TestCard.new()
    card = Card(tested.store, rng=SeededRng(), clock=FakeClock(), trace=trace)
    tested.card = card
    card.power_on()
    tested.ok(SELECT_USIM)

    def crash(*_arguments: object) -> None:
        raise ZeroDivisionError("the secret is 1234")

    monkeypatch.setattr(FileContents, "read_binary", crash)
    tested.ok("00A4000C026FAD")
    tested.refused("6F00", "00B0000000")
    faults = [event for event in trace.events if isinstance(event, InternalFault)]
    assert [(fault.name, fault.exception) for fault in faults] == [("READ BINARY", "ZeroDivisionError")]
    assert "1234" not in f"{faults}"
    monkeypatch.undo()
    tested.ok("00B0000000")


def test_the_list_of_commands_names_every_row_in_its_order() -> None:
    source = Path(table.__file__).read_text("utf-8")
    listed = source[source.index("ALL_ROWS: ") : source.index("_FAMILY_OF")]
    names = [name.strip() for comment in re.findall(r"# (.*)", listed) for name in comment.rstrip(",").split(",")]
    assert names == [row.name for row in ALL_ROWS]
