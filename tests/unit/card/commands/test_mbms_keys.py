"""The MBMS context: MSK update, MTK generation, deletions, and the files that show the keys."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from card.spec.provisional import CAPACITY, Choice
from tests.support.network import (
    BM_SC,
    KEY_DOMAIN,
    MSK_DELETION,
    MSK_UPDATE,
    MTK_GENERATION,
    MUK_DELETION,
    UA_MBMS,
    bootstrap,
    card_with_msk,
    card_with_muk,
    deliver,
    derive_naf_keys,
    stkm,
    write_b_tid,
)
from tests.support.profiles import ADM1, PIN1, card_profile
from tests.support.testcard import SELECT_USIM, Answer, TestCard, lv, tlv
from tests.vectors.loader import load

EF_MSK, EF_MUK, EF_GBANL = 0x6FD7, 0x6FD8, 0x6FDA
EMPTY_GROUP = (b"\xff\xff\xff\0").ljust(20, b"\xff")
EMPTY_MUK = b"\xff" * 200
MSK_1, MSK_2, MSK_3 = (bytes.fromhex(text) for text in ("00010001", "00010002", "00010003"))
OTHER_GROUPS = [bytes.fromhex(text) for text in ("00020001", "00030001", "00040001")]
TEK_AND_SALT = Answer("DB" + bytes(range(0xB0, 0xCE)).hex().upper(), "9000")


def msk_entry(*pairs: tuple[bytes, int], domain: bytes = KEY_DOMAIN) -> bytes:
    body = b"".join(msk_id + counter.to_bytes(4, "big") for msk_id, counter in pairs)
    return (domain + bytes((len(pairs),)) + body).ljust(20, b"\xff")


def muk_entry(id_i: bytes, id_r: bytes, counter: int) -> bytes:
    content = tlv(0xA0, tlv(0x80, id_r) + tlv(0x82, id_i)) + tlv(0x81, counter.to_bytes(4, "big"))
    return content.ljust(200, b"\xff")


def muk_id(id_i: bytes, id_r: bytes) -> bytes:
    return tlv(0xA0, tlv(0x80, id_r) + tlv(0x82, id_i))


# --- the documented chain, byte for byte


def test_the_documented_chain() -> None:
    """From AUTN* to the TEK with the numbers of the vector files."""
    gba, mikey = load("gba")["vectors"][0], load("mikey")
    ltkm, traffic = mikey["ltkm"], mikey["stkm"]
    card = TestCard.new(card_profile(initial_seq=(0xFF9BB4D0B607 >> 5) - 1)).ready()
    card.ok("0088008423DD", lv(gba["rand"], gba["autn_star"]))
    card.ok("00A4000C026FD6")
    card.ok("00D6001140", lv(gba["b_tid"]) + b"\0")
    data = b"\xde" + lv(gba["naf_id"], gba["impi"])
    card.ok("00880084", bytes((len(data),)), data)
    verification = card.mbms(MSK_UPDATE, ltkm["message"])
    assert verification == Answer("DB" + ltkm["verification"].hex().upper(), "9000")
    assert card.record(EF_MUK, 1) == muk_entry(ltkm["id_i"], ltkm["id_r"], 1)
    assert card.record(EF_MSK, 1) == msk_entry((ltkm["msk_id"], 0))
    tek = card.mbms(MTK_GENERATION, traffic["message"])
    assert tek == Answer("DB" + (traffic["key"] + traffic["key_salt"]).hex().upper(), "9000")
    assert card.record(EF_MSK, 1) == msk_entry((ltkm["msk_id"], 1))


# --- MSK update


def test_update_without_the_v_bit() -> None:
    card, session = card_with_muk()
    assert card.mbms(MSK_UPDATE, session.ltkm().build()) == Answer("DB", "9000")


def test_update_with_the_v_bit() -> None:
    card, session = card_with_muk()
    message = session.ltkm(verify=True)
    expected = "DB" + message.build_verification().hex().upper()
    assert card.mbms(MSK_UPDATE, message.build()) == Answer(expected, "9000")


def test_the_files_show_what_the_card_holds() -> None:
    card, session = card_with_muk()
    assert (card.record(EF_MUK, 1), card.record(EF_MSK, 1)) == (EMPTY_MUK, EMPTY_GROUP)
    deliver(card, session.ltkm(7))
    assert card.record(EF_MUK, 1) == muk_entry(BM_SC, session.b_tid, 7)
    assert card.record(EF_MSK, 1) == msk_entry((MSK_1, 0))
    deliver(card, session.ltkm(9, msk_id=MSK_2))
    assert card.record(EF_MUK, 1) == muk_entry(BM_SC, session.b_tid, 9)
    assert card.record(EF_MSK, 1) == msk_entry((MSK_1, 0), (MSK_2, 0))


@pytest.mark.parametrize("counter", [0, 4, 5])
def test_a_counter_that_is_not_above_the_last(counter: int) -> None:
    card, session = card_with_muk()
    deliver(card, session.ltkm(5))
    card.mbms_refused("9862", MSK_UPDATE, session.ltkm(counter, msk_id=MSK_2).build())


def test_the_first_counter_is_above_zero() -> None:
    card, session = card_with_muk()
    card.mbms_refused("9862", MSK_UPDATE, session.ltkm(0).build())
    deliver(card, session.ltkm(1))


def test_the_highest_counter() -> None:
    card, session = card_with_muk()
    deliver(card, session.ltkm(0xFFFFFFFF))
    card.mbms_refused("9862", MSK_UPDATE, session.ltkm(1).build())


def test_every_changed_byte_is_refused() -> None:
    card, session = card_with_muk()
    message = session.ltkm().build()
    for position in range(len(message)):
        forged = bytearray(message)
        forged[position] ^= 0x01
        before = card.persistent()
        answer = card.mbms(MSK_UPDATE, bytes(forged))
        assert answer.sw in ("9862", "6A80", "6A88"), f"byte {position}: {answer}"
        assert card.persistent() == before, f"byte {position}"
    deliver(card, session.ltkm())


def test_a_message_of_another_subscriber() -> None:
    card, session = card_with_muk()
    card.mbms_refused("6A88", MSK_UPDATE, session.ltkm(id_r=b"someone@else").build())
    card.mbms_refused("6A88", MSK_UPDATE, session.ltkm(id_i=b"other.bmsc").build())
    card.mbms_refused("9862", MSK_UPDATE, session.ltkm(psk=bytes(32)).build())


@pytest.mark.parametrize("message", [b"", b"\x01", bytes(10), bytes(200), b"\xff" * 200])
@pytest.mark.parametrize("mode", [MSK_UPDATE, MTK_GENERATION])
def test_no_mikey_message(mode: int, message: bytes) -> None:
    card, _ = card_with_muk()
    card.mbms_refused("6A80", mode, message)


def test_an_msk_of_another_size() -> None:
    card, session = card_with_muk()
    for size in (0, 15, 17, 32):
        card.mbms_refused("6A80", MSK_UPDATE, session.ltkm(msk=bytes(size)).build())


@pytest.mark.parametrize("limits", [(b"", b"\x01"), (b"\x01", b""), (bytes(9), bytes(9))])
def test_validity_limits_of_no_size(limits: tuple[bytes, bytes]) -> None:
    card, session = card_with_muk()
    card.mbms_refused("6A80", MSK_UPDATE, session.ltkm(lower=limits[0], upper=limits[1]).build())


def test_an_ltkm_as_stkm_and_the_other_way_round() -> None:
    card, session, message = card_with_msk()
    card.mbms_refused("6A80", MTK_GENERATION, session.ltkm(2).build())
    card.mbms_refused("6A80", MSK_UPDATE, stkm(message).build())


def test_a_third_msk_in_a_group_drops_the_oldest() -> None:
    card, session, first = card_with_msk()
    deliver(card, session.ltkm(2, msk_id=MSK_2))
    deliver(card, session.ltkm(3, msk_id=MSK_3))
    assert card.record(EF_MSK, 1) == msk_entry((MSK_2, 0), (MSK_3, 0))
    card.mbms_refused("6A88", MTK_GENERATION, stkm(first).build())
    assert card.mbms(MTK_GENERATION, stkm(first, msk_id=MSK_3).build()) == TEK_AND_SALT


def test_a_renewed_msk_is_no_longer_the_oldest() -> None:
    card, session, _ = card_with_msk()
    deliver(card, session.ltkm(2, msk_id=MSK_2))
    deliver(card, session.ltkm(3, msk_id=MSK_1))
    deliver(card, session.ltkm(4, msk_id=MSK_3))
    assert card.record(EF_MSK, 1) == msk_entry((MSK_1, 0), (MSK_3, 0))


def test_each_group_has_a_record_until_none_is_free() -> None:
    card, session, _ = card_with_msk()
    for counter, group in enumerate(OTHER_GROUPS[:2], 2):
        deliver(card, session.ltkm(counter, msk_id=group))
    assert [card.record(EF_MSK, n)[4:8] for n in (1, 2, 3)] == [MSK_1, *OTHER_GROUPS[:2]]
    card.mbms_refused("9866", MSK_UPDATE, session.ltkm(9, msk_id=OTHER_GROUPS[2]).build())
    deliver(card, session.ltkm(9, msk_id=MSK_2))


def test_the_same_group_number_in_another_domain_is_another_group() -> None:
    card, session, _ = card_with_msk()
    domain = bytes.fromhex("13F062")
    deliver(card, session.ltkm(2, key_domain_id=domain))
    assert card.record(EF_MSK, 2) == msk_entry((MSK_1, 0), domain=domain)


def test_no_record_is_free_for_another_bm_sc() -> None:
    card = TestCard.new().ready()
    session = bootstrap(card)
    for number in (1, 2, 3):
        naf = b"bmsc%d" % number + UA_MBMS
        derive_naf_keys(card, naf)
        message = session.ltkm(1, naf, msk_id=MSK_1)
        if number < 3:
            deliver(card, message)
        else:
            card.mbms_refused("9867", MSK_UPDATE, message.build())


def test_redelivery_of_the_same_key_keeps_its_counter() -> None:
    card, session, message = card_with_msk()
    card.mbms(MTK_GENERATION, stkm(message, 5).build())
    deliver(card, session.ltkm(2))
    assert card.record(EF_MSK, 1) == msk_entry((MSK_1, 5))
    card.mbms_refused("9862", MTK_GENERATION, stkm(message, 5).build())


def test_another_key_under_the_same_identifier_begins_anew() -> None:
    card, session, message = card_with_msk()
    card.mbms(MTK_GENERATION, stkm(message, 5).build())
    second = session.ltkm(2, msk=bytes(16))
    deliver(card, second)
    assert card.record(EF_MSK, 1) == msk_entry((MSK_1, 0))
    assert card.mbms(MTK_GENERATION, stkm(second, 1).build()) == TEK_AND_SALT


def test_a_key_that_another_one_replaced_goes_on_when_it_comes_back() -> None:
    card, session, message = card_with_msk()
    card.mbms(MTK_GENERATION, stkm(message, 5).build())
    deliver(card, session.ltkm(2, msk=bytes(16)))
    deliver(card, session.ltkm(3))
    assert card.record(EF_MSK, 1) == msk_entry((MSK_1, 5))
    card.mbms_refused("9862", MTK_GENERATION, stkm(message, 5).build())
    assert card.mbms(MTK_GENERATION, stkm(message, 6).build()) == TEK_AND_SALT


def test_a_key_that_was_deleted_goes_on_when_it_comes_back() -> None:
    card, session, message = card_with_msk()
    card.mbms(MTK_GENERATION, stkm(message, 5).build())
    card.mbms(MSK_DELETION, KEY_DOMAIN + MSK_1[:2])
    deliver(card, session.ltkm(2))
    assert card.record(EF_MSK, 1) == msk_entry((MSK_1, 5))
    card.mbms_refused("9862", MTK_GENERATION, stkm(message, 5).build())


def test_a_key_that_was_pushed_out_goes_on_when_it_comes_back() -> None:
    card, session, message = card_with_msk()
    card.mbms(MTK_GENERATION, stkm(message, 5).build())
    for counter, msk_id in enumerate((MSK_2, MSK_3), 2):
        deliver(card, session.ltkm(counter, msk_id=msk_id))
    card.mbms_refused("6A88", MTK_GENERATION, stkm(message, 6).build())
    deliver(card, session.ltkm(4))
    assert card.record(EF_MSK, 1) == msk_entry((MSK_3, 0), (MSK_1, 5))
    card.mbms_refused("9862", MTK_GENERATION, stkm(message, 5).build())


def test_nobody_writes_the_file_that_shows_the_keys() -> None:
    card, _, _ = card_with_msk()
    card.verify(0x0A, ADM1)
    card.ok("00A4000C026FD7")
    assert card.send("00DC010414", bytes(20)).sw == "6985"
    assert card.record(EF_MSK, 1) == msk_entry((MSK_1, 0))


# --- withdrawal


def test_an_interval_that_holds_nothing_withdraws_the_key() -> None:
    card, session, message = card_with_msk()
    deliver(card, session.ltkm(2, msk_id=MSK_2))
    deliver(card, session.ltkm(3, lower=b"\x00\x02", upper=b"\x00\x01"))
    assert card.record(EF_MSK, 1) == msk_entry((MSK_2, 0))
    assert card.record(EF_MUK, 1) == muk_entry(BM_SC, session.b_tid, 3)
    card.mbms_refused("6A88", MTK_GENERATION, stkm(message).build())


def test_withdrawing_the_last_key_clears_the_record() -> None:
    card, session, _ = card_with_msk()
    deliver(card, session.ltkm(2, lower=b"\x00\x02", upper=b"\x00\x01"))
    assert card.record(EF_MSK, 1) == EMPTY_GROUP


def test_withdrawing_an_unknown_key_is_answered_as_done() -> None:
    card, session = card_with_muk()
    deliver(card, session.ltkm(1, lower=b"\x00\x02", upper=b"\x00\x01"))
    assert card.record(EF_MSK, 1) == EMPTY_GROUP
    assert card.record(EF_MUK, 1) == muk_entry(BM_SC, session.b_tid, 1)


# --- MTK generation


def test_a_tek_with_and_without_salt() -> None:
    card, _, message = card_with_msk()
    assert card.mbms(MTK_GENERATION, stkm(message, 1).build()) == TEK_AND_SALT
    plain = card.mbms(MTK_GENERATION, stkm(message, 2, salt=None).build())
    assert plain == Answer("DB" + bytes(range(0xB0, 0xC0)).hex().upper(), "9000")


@pytest.mark.parametrize("counter", [0, 3, 4])
def test_replay(counter: int) -> None:
    card, _, message = card_with_msk()
    card.mbms(MTK_GENERATION, stkm(message, 4).build())
    card.mbms_refused("9862", MTK_GENERATION, stkm(message, counter).build())
    assert card.record(EF_MSK, 1) == msk_entry((MSK_1, 4))


@pytest.mark.parametrize(("mtk_id", "sw"), [(9, "6985"), (10, "9000"), (15, "9000"), (20, "9000"), (21, "6985")])
def test_key_validity(mtk_id: int, sw: str) -> None:
    card, session = card_with_muk()
    message = session.ltkm(lower=b"\x00\x0a", upper=b"\x00\x14")
    deliver(card, message)
    traffic = stkm(message, mtk_id=mtk_id.to_bytes(2, "big")).build()
    if sw == "9000":
        assert card.mbms(MTK_GENERATION, traffic).sw == sw
    else:
        card.mbms_refused(sw, MTK_GENERATION, traffic)


def test_an_interval_of_one_mtk_and_wide_limits() -> None:
    card, session = card_with_muk()
    for counter, (lower, upper) in enumerate([(b"\x00\x01", b"\x01"), (bytes(8), b"\xff" * 8)], 1):
        message = session.ltkm(counter, lower=lower, upper=upper, msk=bytes((counter,)) * 16)
        deliver(card, message)
        assert card.mbms(MTK_GENERATION, stkm(message).build()) == TEK_AND_SALT


def test_an_unknown_msk() -> None:
    card, _, message = card_with_msk()
    card.mbms_refused("6A88", MTK_GENERATION, stkm(message, msk_id=MSK_2).build())
    card.mbms_refused("6A88", MTK_GENERATION, stkm(message, key_domain_id=b"\0\0\0").build())


@pytest.mark.parametrize("changes", [{"psk": bytes(16)}, {"rand": bytes(16)}])
def test_a_message_under_another_key(changes: dict[str, Any]) -> None:
    card, _, message = card_with_msk()
    card.mbms_refused("9862", MTK_GENERATION, stkm(message, **changes).build())


@pytest.mark.parametrize("changes", [{"tek": bytes(15)}, {"tek": bytes(17)}, {"tek": b""}, {"salt": bytes(17)}])
def test_keys_of_another_size(changes: dict[str, Any]) -> None:
    card, _, message = card_with_msk()
    card.mbms_refused("6A80", MTK_GENERATION, stkm(message, **changes).build())


def test_every_changed_byte_of_an_stkm_is_refused() -> None:
    card, _, message = card_with_msk()
    traffic = stkm(message).build()
    before = card.persistent()
    for position in range(len(traffic)):
        forged = bytearray(traffic)
        forged[position] ^= 0x01
        answer = card.mbms(MTK_GENERATION, bytes(forged))
        assert answer.sw in ("9862", "6A80", "6A88"), f"byte {position}: {answer}"
        assert card.persistent() == before, f"byte {position}"
    assert card.mbms(MTK_GENERATION, traffic) == TEK_AND_SALT


def test_the_counter_survives_power() -> None:
    card, _, message = card_with_msk()
    card.mbms(MTK_GENERATION, stkm(message, 3).build())
    card = card.reopened().ready()
    card.mbms_refused("9862", MTK_GENERATION, stkm(message, 3).build())
    assert card.mbms(MTK_GENERATION, stkm(message, 4).build()) == TEK_AND_SALT


# --- freshness


def test_a_newer_muk_must_be_used_before_the_old_msks_go_on() -> None:
    card, _, message = card_with_msk()
    second = bootstrap(card, 2)
    assert card.mbms(MTK_GENERATION, stkm(message, 1).build()) == TEK_AND_SALT, "a bootstrapping alone changes nothing"
    derive_naf_keys(card)
    card.mbms_refused("9865", MTK_GENERATION, stkm(message, 2).build())
    deliver(card, second.ltkm(1, msk_id=MSK_2))
    assert card.record(EF_MUK, 1) == muk_entry(BM_SC, second.b_tid, 1), "the new MUK took the old one's record"
    assert card.mbms(MTK_GENERATION, stkm(message, 2).build()) == TEK_AND_SALT


def test_the_old_muk_still_takes_messages_until_the_new_one_is_used() -> None:
    card, session, _ = card_with_msk()
    second = bootstrap(card, 2)
    derive_naf_keys(card)
    deliver(card, session.ltkm(2, msk_id=MSK_2))
    deliver(card, second.ltkm(1, msk_id=MSK_2))
    card.mbms_refused("6A88", MSK_UPDATE, session.ltkm(3, msk_id=MSK_2).build())


def test_another_naf_is_no_reason() -> None:
    card, _, message = card_with_msk()
    write_b_tid(card, replace(bootstrap(card, 2)))
    derive_naf_keys(card, b"other" + UA_MBMS)
    assert card.mbms(MTK_GENERATION, stkm(message).build()) == TEK_AND_SALT


# --- deletion


def test_msk_deletion() -> None:
    card, session, message = card_with_msk()
    deliver(card, session.ltkm(2, msk_id=MSK_2))
    deliver(card, session.ltkm(3, msk_id=OTHER_GROUPS[0]))
    assert card.mbms(MSK_DELETION, KEY_DOMAIN + MSK_1[:2]) == Answer("DB", "9000")
    assert [card.record(EF_MSK, n) for n in (1, 2)] == [EMPTY_GROUP, msk_entry((OTHER_GROUPS[0], 0))]
    card.mbms_refused("6A88", MTK_GENERATION, stkm(message).build())
    card.mbms_refused("6A88", MSK_DELETION, KEY_DOMAIN + MSK_1[:2])


def test_a_freed_record_is_used_again() -> None:
    card, session, _ = card_with_msk()
    for counter, group in enumerate(OTHER_GROUPS[:2], 2):
        deliver(card, session.ltkm(counter, msk_id=group))
    card.mbms(MSK_DELETION, KEY_DOMAIN + MSK_1[:2])
    deliver(card, session.ltkm(9, msk_id=OTHER_GROUPS[2]))
    assert card.record(EF_MSK, 1) == msk_entry((OTHER_GROUPS[2], 0))


@pytest.mark.parametrize("body", [b"", KEY_DOMAIN, KEY_DOMAIN + b"\0", KEY_DOMAIN + MSK_1])
def test_msk_deletion_of_another_size(body: bytes) -> None:
    card, _, _ = card_with_msk()
    card.mbms_refused("6A80", MSK_DELETION, body)


def test_muk_deletion() -> None:
    card, session, message = card_with_msk()
    card.mbms_refused("6A88", MUK_DELETION, muk_id(BM_SC, b"other"))
    card.mbms_refused("6A88", MUK_DELETION, muk_id(b"other", session.b_tid))
    assert card.mbms(MUK_DELETION, muk_id(BM_SC, session.b_tid)) == Answer("DB", "9000")
    assert card.record(EF_MUK, 1) == EMPTY_MUK
    card.mbms_refused("6A88", MUK_DELETION, muk_id(BM_SC, session.b_tid))
    assert card.mbms(MTK_GENERATION, stkm(message).build()) == TEK_AND_SALT, "the MSKs stay"


def test_an_old_ltkm_stays_old_after_muk_deletion() -> None:
    """The NAF key that would be the same MUK again goes as well; derived once more, it goes on with its counter."""
    card, session, message = card_with_msk()
    assert card.mbms(MUK_DELETION, muk_id(BM_SC, session.b_tid)) == Answer("DB", "9000")
    card.mbms_refused("6A88", MSK_UPDATE, message.build())
    derive_naf_keys(card)
    card.mbms_refused("9862", MSK_UPDATE, message.build())
    deliver(card, session.ltkm(2))
    assert card.record(EF_MUK, 1) == muk_entry(BM_SC, session.b_tid, 2)


def test_many_msks_that_go_do_not_make_an_old_ltkm_new(monkeypatch: pytest.MonkeyPatch) -> None:
    remembered = cast("dict[str, Choice]", CAPACITY)
    monkeypatch.setitem(remembered, "forgotten_keys", replace(CAPACITY["forgotten_keys"], value=2))
    card, session, message = card_with_msk()
    for counter, msk_id in enumerate((MSK_2, *OTHER_GROUPS[:2]), 2):
        following = session.ltkm(counter, msk_id=msk_id)
        deliver(card, following)
        card.mbms(MTK_GENERATION, stkm(following).build())
    card.mbms(MUK_DELETION, muk_id(BM_SC, session.b_tid))
    for group in (MSK_1, *OTHER_GROUPS[:2]):
        card.mbms(MSK_DELETION, KEY_DOMAIN + group[:2])
    derive_naf_keys(card)
    card.mbms_refused("9862", MSK_UPDATE, message.build())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        tlv(0xA0, b""),
        tlv(0xA0, tlv(0x80, b"r")),
        tlv(0xA0, tlv(0x80, b"r") + tlv(0x82, b"i") + tlv(0x84, b"")),
        tlv(0xA0, tlv(0x80, b"r") * 2 + tlv(0x82, b"i")),
        tlv(0xA1, tlv(0x80, b"r") + tlv(0x82, b"i")),
        tlv(0x80, b"r") + tlv(0x82, b"i"),
        tlv(0xA0, tlv(0x80, b"r") + tlv(0x82, b"i")) + b"\0\0",
        b"\xa0\x7f",
    ],
)
def test_muk_deletion_malformed(body: bytes) -> None:
    card, _, _ = card_with_msk()
    card.mbms_refused("6A80", MUK_DELETION, body)


# --- who may, and when


def test_no_application_is_selected() -> None:
    card = TestCard.new()
    card.verify(0x01, PIN1)
    card.refused("6985", "008980850353010A")


def test_the_pin_is_not_verified() -> None:
    card = TestCard.new()
    card.ok(SELECT_USIM)
    card.refused("6982", "008980850353010A")


@pytest.mark.parametrize("service", [68, 69])
def test_a_service_that_is_off(service: int) -> None:
    card = TestCard.new(card_profile(disabled=(service,))).ready()
    card.refused("9864", "008980850353010A")


def test_the_files_are_not_the_user_s_to_write() -> None:
    card, _, _ = card_with_msk()
    for fid, size in ((EF_MSK, 20), (EF_MUK, 200), (EF_GBANL, 200)):
        card.ok(f"00A4000C02{fid:04X}")
        card.refused("6982", f"00DC0104{size:02X}", bytes(size))
