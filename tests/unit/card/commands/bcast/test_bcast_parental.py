"""The parental PIN: set by message, given for one service, lost with channel change, event and reset."""

from __future__ import annotations

import pytest

from tests.oracle.bcast_model import LtkmData, StkmData
from tests.oracle.bcast_wire import P1
from tests.support.bcast import KEY_DOMAIN, SEK, BcastCard
from tests.support.testcard import pin_bytes

NEWS, FILMS = (KEY_DOMAIN, b"\0\1", b"\0\1"), (KEY_DOMAIN, b"\0\2", b"\0\1")
DONE, NEEDED, BLOCKED, FIXED = b"\0", b"\x07", b"\x08", b"\x09"


@pytest.fixture
def it() -> BcastCard:
    it = BcastCard.new(P1)
    for ts, key in enumerate((NEWS, FILMS), 1):
        it.update(it.ltkm(LtkmData(key, SEK, 0, 9999, ts, "live_free")).build())
    it.update(it.parental(3, "4711", (1, 9)).build())
    return it


def watch(it: BcastCard, key: tuple[bytes, bytes, bytes], ts: int, value: int = 16, kind: int = 1) -> bytes:
    """Send an STKM with a rating; return the status byte."""
    before = it.card.persistent()
    sw, found = it.generate(it.stkm(StkmData(key, SEK, ts, ts, True, (kind, value))).build())
    assert sw == "9000"
    assert (0x86 in found) == (found[0x80] == DONE)
    assert found[0x80] == DONE or it.card.persistent() == before
    return found[0x80]


def enter_pin(it: BcastCard, pin: str = "4711") -> str:
    return it.card.send("0020008208", pin_bytes(pin)).sw


def test_the_level_holds_back_what_is_above_it(it: BcastCard) -> None:
    assert watch(it, NEWS, 1, 9) == DONE
    assert watch(it, NEWS, 2, 10) == NEEDED
    assert watch(it, NEWS, 2, 255, kind=2) == DONE, "no level was granted for this type"


def test_the_pin_is_given_for_one_service(it: BcastCard) -> None:
    assert enter_pin(it) == "9000"
    assert watch(it, FILMS, 1) == DONE
    assert watch(it, FILMS, 2) == DONE
    assert watch(it, NEWS, 1) == NEEDED
    assert watch(it, FILMS, 3) == DONE, "a refusal changes nothing"


def test_a_change_of_channel_ends_it(it: BcastCard) -> None:
    enter_pin(it)
    assert watch(it, FILMS, 1) == DONE
    assert watch(it, NEWS, 1, 3) == DONE
    assert watch(it, FILMS, 2) == NEEDED


def test_the_event_ends_it(it: BcastCard) -> None:
    enter_pin(it)
    assert watch(it, FILMS, 1) == DONE
    assert it.operation("event", **it.key_fields(NEWS[:2])) == ("9000", b"")
    assert watch(it, FILMS, 2) == DONE, "another service was left"
    assert it.operation("event", **it.key_fields(FILMS[:2])) == ("9000", b"")
    assert watch(it, FILMS, 3) == NEEDED


def test_reset_and_a_new_message_end_it(it: BcastCard) -> None:
    enter_pin(it)
    assert watch(it, FILMS, 1) == DONE
    it.card.card.reset()
    it.card.ready()
    assert watch(it, FILMS, 2) == NEEDED
    enter_pin(it)
    assert watch(it, FILMS, 2) == DONE
    it.update(it.parental(4, None, (1, 8)).build())
    assert watch(it, FILMS, 3) == NEEDED


def test_wrong_tries_block_and_a_message_unblocks(it: BcastCard) -> None:
    assert [enter_pin(it, "0000") for _ in range(3)] == ["63C2", "63C1", "63C0"]
    assert enter_pin(it) == "6983"
    assert watch(it, FILMS, 1) == BLOCKED
    it.update(it.parental(4, "0815", None, unblock=True).build())
    assert enter_pin(it) == "63C2", "the PINCODE is a new one"
    assert enter_pin(it, "0815") == "9000"
    assert watch(it, FILMS, 1) == DONE


def test_without_a_pin_the_rating_is_fixed() -> None:
    it = BcastCard.new(P1)
    it.update(it.ltkm(LtkmData(FILMS, SEK, 0, 99, 1, "live_free")).build())
    it.update(it.parental(2, None, (1, 9)).build())
    assert watch(it, FILMS, 1) == FIXED


def test_the_profile_may_bring_the_pin() -> None:
    it = BcastCard.new(P1, 'parental_pin = { value = "1111", tries = 3, puk = "22222222" }')
    it.update(it.ltkm(LtkmData(FILMS, SEK, 0, 99, 1, "live_free")).build())
    it.update(it.parental(2, None, (1, 9)).build())
    assert watch(it, FILMS, 1) == NEEDED
    assert enter_pin(it, "1111") == "9000"
    assert watch(it, FILMS, 1) == DONE


def test_a_disabled_pin_counts_again_when_the_operator_sets_one(it: BcastCard) -> None:
    assert it.card.send("0026008208", pin_bytes("4711")).sw == "9000"
    assert watch(it, NEWS, 1, 18) == DONE, "the user switched it off"
    it.update(it.parental(4, None, (1, 2)).build())
    assert watch(it, NEWS, 2, 18) == DONE, "a level alone leaves the PIN as it is"
    it.update(it.parental(5, "0815", (1, 2)).build())
    assert watch(it, NEWS, 3, 18) == NEEDED
    assert enter_pin(it, "0815") == "9000"
    assert watch(it, NEWS, 3, 18) == DONE


def test_a_plain_mbms_key_is_held_back_too(it: BcastCard) -> None:
    plain = (KEY_DOMAIN, b"\0\3", b"\0\1")
    it.update(it.ltkm(LtkmData(plain, SEK, 0, 9999, 4)).build())
    assert watch(it, plain, 1) == NEEDED
    enter_pin(it)
    assert watch(it, plain, 1) == DONE
