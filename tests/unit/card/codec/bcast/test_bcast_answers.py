"""Answers byte for byte: the worked frames of the fact sheet, and every kind of object, on table set P1."""

from __future__ import annotations

from dataclasses import replace

import pytest

from card.codec.bcast import LtkmReport, ReportEntry
from tests.oracle.bcast_model import LtkmData, StkmData
from tests.oracle.bcast_wire import P1, X2, Wire
from tests.support.bcast import GROUP, KEY_DOMAIN, KEY_ID, SEK, TEK_SALT, BcastCard, tek
from tests.support.testcard import pin_bytes, tlv

LIVE = LtkmData(KEY_ID, SEK, 10, 1000, 1, "live_free")


@pytest.fixture
def it() -> BcastCard:
    return BcastCard.new(P1)


def raw_answer(it: BcastCard, mode: int, message: bytes) -> str:
    """Return data and status word as they come."""
    answer = it.exchange(tlv(0x53, bytes((mode,)) + message))
    return answer.data + answer.sw


def test_tek(it: BcastCard) -> None:
    it.update(it.ltkm(LIVE).build())
    message = it.stkm(StkmData(KEY_ID, SEK, 7, 10)).build()
    assert raw_answer(it, 2, message) == f"7317AE158001008610{tek(7).hex().upper()}9000"


def test_tek_with_salt_and_protection_after_reception(it: BcastCard) -> None:
    it.update(it.ltkm(LIVE).build())
    message = it.stkm(StkmData(KEY_ID, SEK, 7, 10, True), protection=2, salt=TEK_SALT).build()
    objects = f"8001008610{tek(7).hex().upper()}870E{TEK_SALT.hex().upper()}890102"
    assert raw_answer(it, 2, message) == f"732AAE28{objects}9000"


def test_a_tek_wrapped_for_a_terminal_passes_through(it: BcastCard) -> None:
    it.update(it.ltkm(LIVE).build())
    message = it.stkm(StkmData(KEY_ID, SEK, 9, 10, True), binding=0xCAFE).build()
    sw, found = it.generate(message)
    assert (sw, found[0x86]) == ("9000", tek(9))


def test_plain_keys_keep_the_mbms_form(it: BcastCard) -> None:
    assert raw_answer(it, 1, it.ltkm(LtkmData(KEY_ID, SEK, 1, 100, 1)).build()) == "5301DB9000"
    message = it.stkm(StkmData(KEY_ID, SEK, 7, 10)).build()
    assert raw_answer(it, 2, message) == f"5311DB{tek(7).hex().upper()}9000"
    message = it.stkm(StkmData(KEY_ID, SEK, 8, 11, True)).build()
    assert raw_answer(it, 2, message) == f"731AAE188001008610{tek(8).hex().upper()}8901039000"


def test_no_credit(it: BcastCard) -> None:
    poor = LtkmData(KEY_ID, SEK, 0, 99, 1, "live_ppt_key", cost=2, tokens=1)
    assert raw_answer(it, 1, it.ltkm(poor).build()) == "7305AE038001009000"
    assert raw_answer(it, 2, it.stkm(StkmData(KEY_ID, SEK, 1, 1)).build()) == "7305AE038001029000"


def test_spe_not_supported(it: BcastCard) -> None:
    unknown = LtkmData(KEY_ID, SEK, 0, 99, 1, "unknown")
    assert raw_answer(it, 1, it.ltkm(unknown).build()) == "7308AE068001018B010B9000"
    assert raw_answer(it, 1, it.ltkm(LIVE).build()) == "7305AE038001009000", "its counter was not used up"


def test_pin_needed(it: BcastCard) -> None:
    it.update(it.ltkm(LIVE).build())
    it.update(it.parental(2, "4711", (1, 9)).build())
    message = it.stkm(StkmData(KEY_ID, SEK, 1, 10, True, (1, 16))).build()
    assert raw_answer(it, 2, message) == "730EAE0C800107880482011009" + "8901039000"
    assert it.card.send("0020008208", pin_bytes("4711")).sw == "9000"
    sw, found = it.generate(message)
    assert (sw, found[0x80], found[0x86]) == ("9000", b"\0", tek(1))


def test_verification_message(it: BcastCard) -> None:
    message = it.ltkm(LIVE, verify=True)
    sw, found = it.update(message.build())
    assert (sw, found) == ("9000", {0x80: b"\0", 0x8C: message.build_verification()})


def test_rating_of_the_ltkm_is_answered_with_the_level_granted(it: BcastCard) -> None:
    assert it.update(it.ltkm(LIVE, rating=(1, 12)).build())[1][0x8A] == b"\x01\xff"
    it.update(it.parental(2, None, (1, 9)).build())
    again = LtkmData(KEY_ID, SEK, 10, 1000, 3, "live_free")
    assert it.update(it.ltkm(again, rating=(1, 12)).build())[1][0x8A] == b"\x01\x09"


def test_reporting_message(it: BcastCard) -> None:
    rich = LtkmData(KEY_ID, SEK, 0, 99, 1, "live_ppt_user", cost=2, tokens=50)
    it.update(it.ltkm(rich).build())
    counted = LtkmData(KEY_ID, SEK, 0, 99, 2, "playback_counted", counter=3)
    _, found = it.update(it.ltkm(counted, reporting=True).build())
    message = found[0x8C]
    assert message[:3] == b"\x01\x01\x15", "a verification message that begins with an extension"
    size = int.from_bytes(message[12:14], "big")
    assert message[11] == 5
    assert message[14] == 3
    entries = (
        ReportEntry(2, KEY_DOMAIN, b"\0\1\0\1", 0, 0, 50),
        ReportEntry(6, KEY_DOMAIN, b"\0\1\0\1", 0, 0, 50, playback_counter=3),
    )
    assert LtkmReport.decode(message[15 : 14 + size]) == LtkmReport(0, entries)


def test_purse_overflow_is_told(it: BcastCard) -> None:
    rich = LtkmData(KEY_ID, SEK, 0, 99, 1, "live_ppt_user", tokens=2**32 - 1)
    assert it.update(it.ltkm(rich).build())[1][0x80] == b"\0"
    more = LtkmData((*KEY_ID[:2], b"\0\0"), SEK, 0, 99, 2, "live_ppt_user", tokens=1, add=True)
    assert it.update(it.ltkm(more).build())[1][0x80] == b"\x0a"
    assert it.purses()[KEY_DOMAIN, GROUP]["user"] == 2**32 - 1


def test_without_the_service_the_card_is_a_plain_mbms_card() -> None:
    it = BcastCard.new(P1, disabled="75")
    assert it.update(it.ltkm(LIVE).build()) == ("9864", {}), "it must not give away what it cannot charge for"
    assert it.update(it.parental(1, "4711", None).build()) == ("9864", {})
    clear = LtkmData(KEY_ID, SEK, 1, 100, 1, "")
    assert it.update(it.ltkm(clear).build()) == ("9000", {0xDB: b""})
    assert it.generate(it.stkm(StkmData(KEY_ID, SEK, 7, 10, True)).build()) == ("9000", {0xDB: tek(7)})
    assert it.operation("audit") == ("6D00", b"")
    assert it.deletion("delete policies", **it.key_fields(KEY_ID[:2])) == ("6700", {})


def test_a_forged_ltkm_does_not_tell_where_the_counter_stands(it: BcastCard) -> None:
    """The MAC comes first: only an authentic message is called replayed."""
    it.update(it.ltkm(LIVE).build())
    assert it.update(it.ltkm(LIVE).build()) == ("9865", {})
    assert it.update(replace(it.ltkm(LIVE), psk=bytes(32)).build()) == ("9862", {})


@pytest.mark.norm("17", "31", "35")
def test_the_counter_of_a_plain_key_goes_round_under_the_extension_too(it: BcastCard) -> None:
    """T and SEQl move with every STKM of a plain MBMS key (TS 33.246 clauses 6.4.3 and 6.5.4)."""
    it.update(it.ltkm(LtkmData(KEY_ID, SEK, 1, 100, 1, "")).build())
    for counter, mtk in ((0xFFFF_FFF0, 7), (5, 8)):
        sw, found = it.generate(it.stkm(StkmData(KEY_ID, SEK, mtk, counter, True)).build())
        assert (sw, found[0x80], found[0x86]) == ("9000", b"\0", tek(mtk))
    for counter, mtk in ((5, 8), (6, 8), (5, 9), (0xFFFF_FFF1, 9)):
        assert it.generate(it.stkm(StkmData(KEY_ID, SEK, mtk, counter, True)).build()) == ("9865", {})
    assert it.generate(it.stkm(StkmData(KEY_ID, SEK, 9, 6, True)).build())[1][0x86] == tek(9)


@pytest.mark.parametrize("extension", [b"", b"\x7f", b"\x01", b"\x02\x00", b"\x03\xff"])
def test_without_the_service_what_the_card_cannot_read_is_passed_over(extension: bytes) -> None:
    """To a plain card the extension is one of an unknown type (TS 33.246 clause 6.5.3)."""
    it = BcastCard.new(P1, disabled="75")
    message = replace(it.ltkm(LtkmData(KEY_ID, SEK, 1, 100, 1, "")), bcast=extension)
    assert it.update(message.build()) == ("9000", {0xDB: b""})
    assert it.generate(it.stkm(StkmData(KEY_ID, SEK, 7, 10, True)).build()) == ("9000", {0xDB: tek(7)})
    it = BcastCard.new(P1)
    assert it.update(message.build()) == ("9862", {})


def test_content_protection_wants_a_channel_where_the_card_demands_one() -> None:
    it = BcastCard.new(P1, "secure_channel = true")
    it.update(it.ltkm(LIVE).build())
    rated = StkmData(KEY_ID, SEK, 7, 10, True)
    for protection in (0, 1):
        sw, found = it.generate(it.stkm(rated, protection=protection).build())
        assert (sw, found[0x80]) == ("9000", b"\x0b")
        assert 0x86 not in found
    assert it.generate(it.stkm(rated, protection=0, binding=1).build())[1][0x86] == tek(7)
    free = StkmData(KEY_ID, SEK, 7, 11, True)
    assert it.generate(it.stkm(free, protection=3).build())[1][0x86] == tek(7)


@pytest.mark.parametrize(("wire", "in_playback"), [(P1, 2), (X2, 1)], ids=["P1", "X2"])
def test_protection_of_playback_only_wants_a_channel_in_playback(wire: Wire, in_playback: int) -> None:
    it = BcastCard.new(wire, "secure_channel = true")
    for ts, policy in enumerate(("live_free", "playback_free"), 1):
        it.update(it.ltkm(LtkmData(KEY_ID, SEK, 10, 1000, ts, policy)).build())
    m = StkmData(KEY_ID, SEK, 7, 10, True)
    live = it.generate(it.stkm(m, protection=in_playback).build())[1]
    assert live[it.wire.tags["tek"]] == tek(7)
    before = it.card.persistent()
    again = it.generate(it.stkm(m, protection=in_playback).build())[1]
    assert again[it.wire.tags["status"]] == bytes((it.wire.status["done"] + 0x0B,))
    assert it.wire.tags["tek"] not in again
    assert it.card.persistent() == before
    service_protection = 3 if wire is P1 else 0
    assert it.generate(it.stkm(m, protection=service_protection).build())[1][it.wire.tags["tek"]] == tek(7)


def test_the_second_table_set_answers_with_its_own_tags() -> None:
    it = BcastCard.new(X2)
    assert raw_answer(it, 1, it.ltkm(LIVE).build()) == "7305AE039001409000"
    message = it.stkm(StkmData(KEY_ID, SEK, 7, 10)).build()
    assert raw_answer(it, 2, message) == f"7317AE159001409610{tek(7).hex().upper()}9000"


def test_a_long_ltkm_arrives_in_blocks(it: BcastCard) -> None:
    message = tlv(0x53, b"\x01" + it.ltkm(LIVE, verify=True).build())
    answer = it.exchange(message, block=40)
    assert answer.sw == "9000"
    assert answer.data.startswith("73")
