"""How data reach the terminal: at once, behind 61XX, or after 6CXX."""

from __future__ import annotations

import pytest

from tests.support.testcard import SELECT_USIM, TestCard

SELECT_MF = "00A40004023F00"
ICCID = "00B0820000"


@pytest.fixture
def card() -> TestCard:
    return TestCard.new()


@pytest.fixture
def fcp(card: TestCard) -> str:
    return card.send(SELECT_MF, "00").data


def test_with_le_data_come_at_once(card: TestCard) -> None:
    answer = card.send(SELECT_MF, "00")
    assert answer.sw == "9000"
    assert answer.data.startswith("62")


def test_without_le_they_wait(card: TestCard, fcp: str) -> None:
    size = f"{len(fcp) // 2:02X}"
    assert card.send(SELECT_MF) == ("", f"61{size}")
    assert card.send("00C00000", size) == (fcp, "9000")
    card.refused("6F00", "00C00000", size)


def test_get_response_in_parts(card: TestCard, fcp: str) -> None:
    size = len(fcp) // 2
    card.send(SELECT_MF)
    assert card.send("00C0000010") == (fcp[:32], f"61{size - 16:02X}")
    assert card.send("00C0000000") == (fcp[32:], "9000")


def test_get_response_for_too_much_says_how_much(card: TestCard, fcp: str) -> None:
    size = f"{len(fcp) // 2:02X}"
    card.send(SELECT_MF)
    assert card.send("00C00000FF") == ("", f"6C{size}")
    assert card.send("00C00000", size) == (fcp, "9000")


def test_le_smaller_than_the_data_of_case_4(card: TestCard, fcp: str) -> None:
    size = len(fcp) // 2
    assert card.send(SELECT_MF, "0A") == (fcp[:20], f"61{size - 10:02X}")
    assert card.send("00C0000000") == (fcp[20:], "9000")


def test_le_smaller_than_the_data_of_case_2(card: TestCard, fcp: str) -> None:
    assert card.send("80F200000A") == ("", f"6C{len(fcp) // 2:02X}")


@pytest.mark.parametrize("between", ["80F2000C", ICCID, "00A4000C023F00", "00A4000C02DEAD", "00FF0000"])
def test_another_command_drops_what_waits(card: TestCard, between: str) -> None:
    card.send(SELECT_MF)
    card.send(between)
    if between == "00FF0000":
        # An instruction the card does not know never reached the channel.
        assert card.send("00C0000000").sw == "9000"
    else:
        card.refused("6F00", "00C0000000")


def test_nothing_waits_after_power_on(card: TestCard) -> None:
    card.refused("6F00", "00C0000000")


@pytest.mark.parametrize(("sw", "raw"), [("6700", "00C00000"), ("6A86", "00C0010000"), ("6A86", "00C0000100")])
def test_get_response_refused(card: TestCard, sw: str, raw: str) -> None:
    card.send(SELECT_MF)
    card.refused(sw, raw)


def test_data_on_their_way_do_not_survive_a_reset(card: TestCard) -> None:
    card.send(SELECT_MF)
    card.card.reset()
    card.refused("6F00", "00C0000000")


def test_every_step_of_a_terminal_that_never_sends_le(card: TestCard) -> None:
    assert card.exchange(SELECT_USIM.replace("040C", "0404")).sw == "9000"
    assert card.exchange("00A40004026F07").sw == "9000"
    assert card.exchange("80F2000000").sw == "9000"
