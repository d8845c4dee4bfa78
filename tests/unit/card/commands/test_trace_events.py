"""What a trace shows of GET RESPONSE: as much as of the command whose answer it fetches."""

from __future__ import annotations

import pytest

from card.trace import ApduExchanged
from tests.support.network import rand, vector
from tests.support.ports import CollectingTrace
from tests.support.testcard import TestCard, lv

SELECT_MF = "00A40004023F00"


@pytest.fixture
def trace() -> CollectingTrace:
    return CollectingTrace()


@pytest.fixture
def card(trace: CollectingTrace) -> TestCard:
    return TestCard.new(trace=trace).ready()


def last(trace: CollectingTrace) -> ApduExchanged:
    event = trace.events[-1]
    assert isinstance(event, ApduExchanged)
    return event


def authenticate(card: TestCard) -> str:
    answer = card.send("0088008122", lv(rand(1), vector(1, rand(1))["autn"]))
    assert answer.sw.startswith("61")
    return answer.sw[2:]


def test_the_fcp_behind_a_select_is_shown(card: TestCard, trace: CollectingTrace) -> None:
    size = card.send(SELECT_MF).sw[2:]
    assert "SELECT [2] 3F00 ->" in str(last(trace))
    fcp = bytes.fromhex(card.send("00C00000", size).data)
    assert last(trace).response_data == fcp
    assert fcp[0] == 0x62


def test_the_keys_behind_an_authentication_are_not(card: TestCard, trace: CollectingTrace) -> None:
    size = authenticate(card)
    assert card.send("00C00000", size).sw == "9000"
    assert last(trace).response_data is None
    assert last(trace).response_length == int(size, 16)


def test_portions_of_a_secret_are_all_hidden(card: TestCard, trace: CollectingTrace) -> None:
    authenticate(card)
    assert card.send("00C00000FF").sw.startswith("6C")
    for _ in range(2):
        assert card.send("00C0000010").data
        assert last(trace).response_data is None


def test_portions_of_an_fcp_are_all_shown(card: TestCard, trace: CollectingTrace) -> None:
    card.send(SELECT_MF)
    assert card.send("00C00000FF").sw.startswith("6C")
    for _ in range(2):
        fetched = card.send("00C0000008").data
        assert fetched
        assert last(trace).response_data == bytes.fromhex(fetched)


def test_another_channel_decides_nothing(card: TestCard, trace: CollectingTrace) -> None:
    card.ok("0070000001")
    size = authenticate(card)
    assert card.send("01A40004023F00").sw.startswith("61")
    card.send("00C00000", size)
    assert last(trace).response_data is None
    card.send("01C0000004")
    assert last(trace).response_data is not None


def test_a_reset_forgets_what_was_waiting(card: TestCard, trace: CollectingTrace) -> None:
    card.send(SELECT_MF)
    card.card.reset()
    authenticate(card.ready())
    card.send("00C0000010")
    assert last(trace).response_length == 0x10
    assert last(trace).response_data is None


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("00A40004023F00", "SELECT [2] 3F00"),
        ("00A40004023F0000", "SELECT [2] 3F00"),
        ("80F2000000", "STATUS ->"),
        ("00A40004053F00", "SELECT [3] 053F00"),
    ],
)
def test_lengths_are_no_data(card: TestCard, trace: CollectingTrace, command: str, shown: str) -> None:
    card.send(command)
    assert shown in str(last(trace))
