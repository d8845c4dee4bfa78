"""VERIFY, CHANGE, DISABLE, ENABLE and UNBLOCK PIN over the wire."""

from __future__ import annotations

import pytest

from tests.support.profiles import ADM1, PIN1, PIN2, PUK1, PUK2, UNIVERSAL
from tests.support.testcard import SELECT_USIM, Answer, TestCard, pin_bytes

VERIFY, CHANGE, DISABLE, ENABLE, UNBLOCK = "20", "24", "26", "28", "2C"


@pytest.fixture
def card() -> TestCard:
    card = TestCard.new()
    card.ok(SELECT_USIM)
    return card


def pin(card: TestCard, ins: str, reference: int, *codes: str) -> str:
    """Send a PIN command; return its status word."""
    data = b"".join(pin_bytes(code) for code in codes)
    lc = bytes((len(data),)) if data else b""
    answer = card.send(f"00{ins}00{reference:02X}", lc, data)
    assert answer.data == ""
    return answer.sw


def tries(card: TestCard, reference: int) -> str:
    return pin(card, VERIFY, reference)


def test_verify(card: TestCard) -> None:
    assert tries(card, 0x01) == "63C3"
    assert pin(card, VERIFY, 0x01, PIN1) == "9000"
    assert pin(card, VERIFY, 0x01, "0000") == "63C2"
    assert pin(card, VERIFY, 0x01, PIN1) == "9000"
    assert tries(card, 0x01) == "63C3"


def test_asking_for_the_tries_changes_nothing(card: TestCard) -> None:
    before = card.persistent()
    assert [tries(card, reference) for reference in (0x01, 0x81, 0x0A)] == ["63C3", "63C3", "63CA"]
    assert card.persistent() == before


def test_a_wrong_pin_changes_the_counter_and_nothing_else(card: TestCard) -> None:
    before, volatile = card.persistent(), card.volatile()
    assert pin(card, VERIFY, 0x01, "0000") == "63C2"
    after = card.persistent()
    assert {key for key in after if after[key] != before.get(key)} == {"pin/01"}
    assert after["pin/01"] == before["pin/01"].replace(b'"tries_left":3', b'"tries_left":2')
    assert card.volatile() == volatile


def test_blocking_survives_reset_and_power(card: TestCard) -> None:
    assert [pin(card, VERIFY, 0x01, "0000") for _ in range(3)] == ["63C2", "63C1", "63C0"]
    card = card.reopened()
    assert (pin(card, VERIFY, 0x01, PIN1), tries(card, 0x01)) == ("6983", "6983")


def test_a_local_pin_needs_its_application(card: TestCard) -> None:
    assert pin(card, VERIFY, 0x81, PIN2) == "9000"
    other = TestCard.new()
    other.refused("6A88", "0020008108", pin_bytes(PIN2))


@pytest.mark.parametrize("reference", [0x02, 0x82, 0x0B, 0x8A, 0x10, 0xFF])
def test_an_unknown_reference(card: TestCard, reference: int) -> None:
    card.refused("6A88", f"002000{reference:02X}08", pin_bytes(PIN1))
    card.refused("6A88", f"002000{reference:02X}")


def test_change(card: TestCard) -> None:
    assert pin(card, CHANGE, 0x01, PIN1, "4321") == "9000"
    card.ok("00A4000C026F07")
    card.ok("00B0000000")  # the right old value verified the PIN as well
    card = card.reopened()
    assert pin(card, VERIFY, 0x01, PIN1) == "63C2"
    assert pin(card, VERIFY, 0x01, "4321") == "9000"


def test_change_with_a_wrong_old_value(card: TestCard) -> None:
    assert pin(card, CHANGE, 0x01, "0000", "4321") == "63C2"
    assert pin(card, VERIFY, 0x01, PIN1) == "9000"


def test_disable_opens_what_the_pin_protects(card: TestCard) -> None:
    assert pin(card, DISABLE, 0x01, PIN1) == "9000"
    card = card.reopened()
    card.ok(SELECT_USIM)
    card.ok("00A4000C026F07")
    card.ok("00B0000000")
    assert (pin(card, VERIFY, 0x01, PIN1), tries(card, 0x01)) == ("6984", "6984")
    assert (pin(card, DISABLE, 0x01, PIN1), pin(card, CHANGE, 0x01, PIN1, "4321")) == ("6984", "6984")


def test_enable(card: TestCard) -> None:
    assert pin(card, ENABLE, 0x01, PIN1) == "6984"
    assert pin(card, ENABLE, 0x11, "0000") == "63C2"
    assert pin(card, ENABLE, 0x11, UNIVERSAL) == "9000"
    assert tries(card.reopened(), 0x11) == "63C3"


def test_unblock(card: TestCard) -> None:
    for _ in range(3):
        pin(card, VERIFY, 0x01, "0000")
    assert pin(card, UNBLOCK, 0x01) == "63CA"
    assert pin(card, UNBLOCK, 0x01, "00000000", "4321") == "63C9"
    assert pin(card, UNBLOCK, 0x01, PUK1, "4321") == "9000"
    card = card.reopened()
    assert pin(card, VERIFY, 0x01, "4321") == "9000"
    assert pin(card, UNBLOCK, 0x01) == "63CA"


def test_unblocking_a_local_pin(card: TestCard) -> None:
    assert pin(card, UNBLOCK, 0x81, PUK2, "1111") == "9000"
    assert pin(card, VERIFY, 0x81, "1111") == "9000"


def test_a_puk_can_be_used_up(card: TestCard) -> None:
    answers = [pin(card, UNBLOCK, 0x01, "00000000", "4321") for _ in range(11)]
    assert answers == [f"63C{left:X}" for left in range(9, -1, -1)] + ["6983"]
    assert (pin(card, UNBLOCK, 0x01, PUK1, "4321"), pin(card, UNBLOCK, 0x01)) == ("6983", "6983")
    assert pin(card, VERIFY, 0x01, PIN1) == "9000", "the PIN itself is not blocked by it"


def test_an_administrative_key_is_verified_only(card: TestCard) -> None:
    assert pin(card, VERIFY, 0x0A, ADM1) == "9000"
    card.refused("6A88", "0024000A10", pin_bytes(ADM1), pin_bytes("1234"))
    card.refused("6A88", "0026000A08", pin_bytes(ADM1))
    card.refused("6A88", "0028000A08", pin_bytes(ADM1))
    card.refused("6A88", "002C000A10", pin_bytes(ADM1), pin_bytes("1234"))


def test_an_administrative_key_blocks(card: TestCard) -> None:
    assert [pin(card, VERIFY, 0x0A, "0000") for _ in range(11)] == [
        *(f"63C{left:X}" for left in range(9, -1, -1)), "6983",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sw", "raw"),
    [
        ("6700", "002000010431323334"),  # not padded to eight bytes
        ("6700", "00200001093132333435363738FF"),
        ("6700", "0024000108" + "31" * 8),
        ("6700", "00240001"),
        ("6700", "00260001"),
        ("6700", "00280001"),
        ("6700", "002C000108" + "31" * 8),
        ("6A86", "0020010108" + "31" * 8),
        ("6A86", "0020000008" + "31" * 8),
    ],
)
def test_refused(card: TestCard, sw: str, raw: str) -> None:
    card.refused(sw, raw)


def test_disable_and_enable_with_a_blocked_pin(card: TestCard) -> None:
    for _ in range(3):
        pin(card, DISABLE, 0x01, "0000")
    card.refused("6983", "0026000108", pin_bytes(PIN1))
    assert card.verify(0x01, PIN1) == Answer("", "6983")


def test_the_fcp_shows_which_pins_are_enabled(card: TestCard) -> None:
    before = card.ok("80F2000000")
    pin(card, DISABLE, 0x01, PIN1)
    after = card.ok("80F2000000")
    assert before != after
    pin(card, ENABLE, 0x01, PIN1)
    assert card.ok("80F2000000") == before
