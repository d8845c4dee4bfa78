"""Data objects in blocks: sending, fetching, and everything out of order (TS 102 221 clause 11.1.16)."""

from __future__ import annotations

import pytest

from tests.support.network import MSK_UPDATE, card_with_muk, stkm
from tests.support.testcard import Answer, TestCard, tlv


@pytest.fixture
def card_and_object() -> tuple[TestCard, bytes]:
    card, session = card_with_muk()
    return card, tlv(0x53, bytes((MSK_UPDATE,)) + session.ltkm(verify=True).build())


def block(card: TestCard, p1: str, data: bytes, p2: str = "85") -> str:
    answer = card.send("0089", p1, p2, bytes((len(data),)), data)
    assert answer.data == ""
    return answer.sw


@pytest.mark.parametrize("size", [1, 2, 3, 100, 215, 255])
def test_any_block_size(card_and_object: tuple[TestCard, bytes], size: int) -> None:
    card, whole = card_and_object
    answer = card.authenticate_odd(whole, size)
    assert answer.sw == "9000"
    assert answer.data.startswith("DB0101")


def test_one_extended_apdu(card_and_object: tuple[TestCard, bytes]) -> None:
    card, whole = card_and_object
    assert card.send("0089808500", len(whole).to_bytes(2, "big"), whole) == Answer("", "62F3")


def test_the_response_in_blocks(card_and_object: tuple[TestCard, bytes]) -> None:
    card, whole = card_and_object
    expected = card.authenticate_odd(whole).data
    size = len(expected) // 2 + 2
    assert size == 107
    # The same message again would be a replay: a new card.
    card, session = card_with_muk()
    assert block(card, "80", tlv(0x53, b"\x01" + session.ltkm(verify=True).build())) == "62F3"
    first, second, third = card.send("0089A00032"), card.send("0089200032"), card.send("0089200000")
    assert [first.sw, second.sw, third.sw] == ["62F1", "62F1", "9000"]
    received = first.data + second.data + third.data
    assert received == f"53{size - 2:02X}{expected}"


@pytest.mark.parametrize("p2", ["00", "85"])
def test_retrieval_with_either_p2(card_and_object: tuple[TestCard, bytes], p2: str) -> None:
    card, whole = card_and_object
    block(card, "80", whole)
    assert card.send("0089A0", p2, "00").sw == "9000"


def test_a_response_is_handed_out_once(card_and_object: tuple[TestCard, bytes]) -> None:
    card, whole = card_and_object
    block(card, "80", whole)
    card.ok("0089A00000")
    card.refused("6985", "0089A00000")
    card.refused("6985", "0089200000")


def test_retrieval_of_nothing() -> None:
    card, _ = card_with_muk()
    card.refused("6985", "0089A00000")
    card.refused("6985", "0089200000")


def test_retrieval_out_of_order(card_and_object: tuple[TestCard, bytes]) -> None:
    card, whole = card_and_object
    block(card, "80", whole)
    card.refused("6A86", "0089200000")


def test_starting_the_retrieval_again(card_and_object: tuple[TestCard, bytes]) -> None:
    card, whole = card_and_object
    block(card, "80", whole)
    assert card.send("0089A00010").sw == "62F1"
    card.refused("6A86", "0089A00000")


def test_retrieval_without_le(card_and_object: tuple[TestCard, bytes]) -> None:
    card, whole = card_and_object
    block(card, "80", whole)
    card.refused("6700", "0089A000")


def test_a_next_block_without_a_first(card_and_object: tuple[TestCard, bytes]) -> None:
    card, whole = card_and_object
    card.refused("6A86", "008900850A", whole[:10])


def test_a_next_block_of_another_context(card_and_object: tuple[TestCard, bytes]) -> None:
    card, whole = card_and_object
    assert block(card, "80", whole[:100]) == "63F1"
    assert block(card, "00", whole[100:], "86") in ("6A86", "9864")
    assert block(card, "00", whole[100:]) == "6A86", "and the first block is gone"


def test_a_first_block_begins_anew(card_and_object: tuple[TestCard, bytes]) -> None:
    card, whole = card_and_object
    assert block(card, "80", whole[:100]) == "63F1"
    assert block(card, "80", whole[:100]) == "63F1"
    assert block(card, "00", whole[100:]) == "62F3"


@pytest.mark.parametrize("between", ["00A4000C023F00", "80F2000C", "00B0820000", "00A4000C02DEAD"])
def test_another_command_ends_the_sequence(card_and_object: tuple[TestCard, bytes], between: str) -> None:
    card, whole = card_and_object
    assert block(card, "80", whole[:100]) == "63F1"
    card.send(between)
    card.ok("00A4040C07A0000000871002")
    assert block(card, "00", whole[100:]) == "6A86"


def test_a_command_between_drops_the_response(card_and_object: tuple[TestCard, bytes]) -> None:
    card, whole = card_and_object
    block(card, "80", whole)
    card.ok("80F2000C")
    card.refused("6985", "0089A00000")


def test_a_block_collected_before_a_reset(card_and_object: tuple[TestCard, bytes]) -> None:
    card, whole = card_and_object
    block(card, "80", whole[:100])
    card.card.reset()
    card.ready()
    assert block(card, "00", whole[100:]) == "6A86"


def test_more_bytes_than_the_object_has(card_and_object: tuple[TestCard, bytes]) -> None:
    card, whole = card_and_object
    card.refused("6700", "00898085", bytes((len(whole) + 1,)), whole + b"\0")


def test_an_object_longer_than_the_buffer() -> None:
    card, _ = card_with_muk()
    card.refused("6A84", "0089808505538300FFFF")
    card.refused("6A84", "00898085055383004001")


@pytest.mark.parametrize("data", ["5380", "53840000", "53850000000001", "5F8884000000"])
def test_a_length_that_is_none(data: str) -> None:
    card, _ = card_with_muk()
    raw = bytes.fromhex(data)
    answer = block(card, "80", raw)
    if answer == "63F1":
        answer = block(card, "00", b"\xff" * 6)
    assert answer == "6700"


def test_a_length_byte_written_raw() -> None:
    """One terminal stack writes lengths of 128 and more as one plain byte; the card understands them."""
    card, session = card_with_muk()
    content = b"\x01" + session.ltkm().build()
    assert 0x83 <= len(content) <= 0xFF
    raw = b"\x53" + bytes((len(content),)) + content
    assert card.authenticate_odd(raw) == Answer("DB", "9000")


def test_empty_blocks_and_blocks_with_a_retrieval() -> None:
    card, _ = card_with_muk()
    card.refused("6700", "00898085")
    card.refused("6700", "0089808500")
    card.refused("6700", "0089A0000153")


@pytest.mark.parametrize("p1", ["01", "40", "60", "81", "A1", "C0", "FF"])
def test_unknown_steps(p1: str) -> None:
    card, _ = card_with_muk()
    card.refused("6A86", "0089", p1, "8501", "53")


@pytest.mark.parametrize("p2", ["00", "05", "80", "84", "87", "FF"])
def test_unknown_contexts(p2: str) -> None:
    card, _ = card_with_muk()
    card.refused("6A86", "008980", p2, "0453025301")


@pytest.mark.parametrize(
    "data",
    ["5300", "530100", "530105", "5301FF", "730101", "7300", "530101", "530102", "530103", "530104", "5302A000"],
)
def test_modes_and_tags_that_mean_nothing(data: str) -> None:
    card, _ = card_with_muk()
    raw = bytes.fromhex(data)
    card.refused("9862" if data in ("530101", "530102") else "6700", "00898085", bytes((len(raw),)), raw)


def test_a_response_with_a_key_may_be_fetched_byte_by_byte() -> None:
    card, session = card_with_muk()
    message = session.ltkm()
    assert card.mbms(MSK_UPDATE, message.build()).sw == "9000"
    assert block(card, "80", tlv(0x53, b"\x02" + stkm(message).build())) == "62F3"
    received = card.send("0089A00001")
    whole = received.data
    while received.sw == "62F1":
        received = card.send("0089200001")
        whole += received.data
    assert received.sw == "9000"
    assert whole == "531FDB" + bytes(range(0xB0, 0xCE)).hex().upper()
