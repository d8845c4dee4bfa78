"""Deactivated files: what needs them, EF_ARR among them, and how SELECT tells of it on T=0."""

from __future__ import annotations

import pytest

from card.codec.fcp import Fcp
from tests.support.platform_cards import COUNTER, OBJECTS, RECORDS, platform_card
from tests.support.profiles import ADM1
from tests.support.testcard import TestCard


@pytest.fixture
def card() -> TestCard:
    made = platform_card().ready()
    assert made.verify(0x0A, ADM1).sw == "9000"
    return made


@pytest.mark.parametrize(
    ("path", "commands"),
    [
        ("7FFF6F78", ("00B0000001", "00D6000001AA")),
        (f"{RECORDS:04X}", ("00B2010400", "00DC01040411223344", "00A2010401AA")),
        (f"{COUNTER:04X}", ("00B2010400", "803200000101")),
        (f"{OBJECTS:04X}", ("80CB00800180", "80DB008003810100")),
    ],
)
def test_what_needs_a_deactivated_file(card: TestCard, path: str, commands: tuple[str, ...]) -> None:
    """TS 102 221 clause 10.2.1.5.2: 6984, referenced data invalidated, once the access rule is satisfied."""
    card.ok("00040800", f"{len(path) // 2:02X}", path)
    for command in commands:
        card.refused("6984", command)
    card.refused("6984", "00040000")
    card.ok("00440000")


def test_a_deactivated_ef_arr_gives_no_access(card: TestCard) -> None:
    """TS 102 221 clause 9.2.7: the rule stands in EF_ARR; without it nothing is allowed, in its directory only."""
    card.ok("00A4000C026F07")
    card.ok("00B0000009")
    card.ok("00A4000C026F06")
    card.ok("00040000")
    assert card.exchange("00A40004026F07").sw == "9000", "selection needs no right"
    card.refused("6982", "00B0000009")
    card.refused("6982", "00040000")
    card.ok("00A4080C022FE2")
    card.ok("00B000000A")


def test_select_on_t0_warns_first(card: TestCard) -> None:
    """TS 102 221 annex C: 6283, then GET RESPONSE for the FCP; with Le both come together."""
    card.ok("00A4000C023F00")
    card.ok(f"0004000002{RECORDS:04X}")
    assert card.send(f"00A4000402{RECORDS:04X}") == ("", "6283")
    fetched = card.send("00C0000000")
    assert fetched.sw == "9000"
    assert Fcp.decode(bytes.fromhex(fetched.data)).life_cycle == 4
    card.refused("6F00", "00C0000000")
    assert card.send(f"00A4000402{RECORDS:04X}00") == (fetched.data, "6283")
    assert card.send(f"00A4000C02{RECORDS:04X}") == ("", "6283")
    card.refused("6F00", "00C0000000")


def test_get_response_with_nothing_pending_is_no_defect() -> None:
    """6F00 is the word of the command for it (TS 102 221 clause 12.1.1): no internal fault is traced."""
    events: list[object] = []

    class Sink:
        def emit(self, event: object) -> None:
            events.append(event)

    card = TestCard.new(trace=Sink())
    events.clear()
    card.refused("6F00", "00C0000000")
    assert [type(event).__name__ for event in events] == ["ApduExchanged"]
