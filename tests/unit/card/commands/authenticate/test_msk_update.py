"""MSK update: what is taken up, checked and stored, in the order of TS 31.102 clause 7.1.1.6."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from card.state.nonvolatile import NonVolatile
from tests.support.mbms import (
    DONE,
    EF_GBANL,
    EF_MSK,
    EF_MUK,
    EMPTY_GROUP,
    EMPTY_MUK,
    MSK_1,
    MSK_2,
    MSK_3,
    OTHER_GROUPS,
    TEK_AND_SALT,
    msk_entry,
    muk_entry,
)
from tests.support.network import (
    BM_SC,
    FQDN,
    MSK_UPDATE,
    MTK_GENERATION,
    UA_MBMS,
    bootstrap,
    card_with_msk,
    card_with_muk,
    deliver,
    derive_naf_keys,
    stkm,
)
from tests.support.profiles import ADM1, PIN1, card_profile
from tests.support.testcard import SELECT_USIM, Answer, TestCard

CURRENT = bytes.fromhex("00010000")  # Key Number 0 of the group


# --- what a message does


def test_an_interrupt_leaves_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever ends a terminal with its card in the same process may still deregister with it."""
    puts = 0
    for cut in range(1, 20):
        card, session = card_with_muk()
        message, put = session.ltkm(7).build(), NonVolatile.put
        taken_up, left = muk_entry(FQDN, session.b_tid, 0), iter(range(cut - 1))

        def interrupted(*given: Any, left: Iterator[int] = left, put: Any = put) -> None:
            put(*given)
            if next(left, None) is None:
                raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(NonVolatile, "put", interrupted)
            try:
                card.mbms(MSK_UPDATE, message)
                break
            except KeyboardInterrupt:
                puts += 1
        card.ready()
        assert card.record(EF_MUK, 1) in (EMPTY_MUK, taken_up)  # the MUK is taken up before a MAC is looked at
        assert card.record(EF_MSK, 1) == EMPTY_GROUP
        assert card.mbms(MSK_UPDATE, message) == DONE
    assert puts >= 2


def test_update_without_the_v_bit() -> None:
    card, session = card_with_muk()
    assert card.mbms(MSK_UPDATE, session.ltkm().build()) == DONE


def test_update_with_the_v_bit() -> None:
    card, session = card_with_muk()
    message = session.ltkm(verify=True)
    expected = "DB" + message.build_verification().hex().upper()
    assert card.mbms(MSK_UPDATE, message.build()) == Answer(expected, "9000")


@pytest.mark.norm("8", "23", "24")
def test_the_files_show_what_the_card_holds() -> None:
    """EF_MUK has the FQDN, EF_MSK the newer MSK first; free records are FF throughout."""
    card, session = card_with_muk()
    assert (card.record(EF_MUK, 1), card.record(EF_MSK, 1)) == (EMPTY_MUK, EMPTY_GROUP)
    deliver(card, session.ltkm(7))
    assert card.record(EF_MUK, 1) == muk_entry(FQDN, session.b_tid, 7)
    assert card.record(EF_MSK, 1) == msk_entry((MSK_1, 0))
    deliver(card, session.ltkm(9, msk_id=MSK_2))
    assert card.record(EF_MUK, 1) == muk_entry(FQDN, session.b_tid, 9)
    assert card.record(EF_MSK, 1) == msk_entry((MSK_2, 0), (MSK_1, 0))


def test_nobody_writes_the_files_that_show_the_keys() -> None:
    card, session, _ = card_with_msk()
    card.verify(0x0A, ADM1)
    for fid, size in ((EF_MSK, 20), (EF_MUK, 200), (EF_GBANL, 200)):
        before = card.record(fid, 1)
        card.ok(f"00A4000C02{fid:04X}")
        assert card.send(f"00DC0104{size:02X}", bytes(size)).sw == "6985"
        assert card.record(fid, 1) == before
    assert card.record(EF_MUK, 1) == muk_entry(FQDN, session.b_tid, 1)


def test_a_third_msk_in_a_group_drops_the_oldest() -> None:
    card, session, first = card_with_msk()
    deliver(card, session.ltkm(2, msk_id=MSK_2))
    deliver(card, session.ltkm(3, msk_id=MSK_3))
    assert card.record(EF_MSK, 1) == msk_entry((MSK_3, 0), (MSK_2, 0))
    card.mbms_refused("6A88", MTK_GENERATION, stkm(first).build())
    assert card.mbms(MTK_GENERATION, stkm(first, msk_id=MSK_3).build()) == TEK_AND_SALT


@pytest.mark.norm("29")
def test_a_renewed_msk_is_no_longer_the_oldest() -> None:
    card, session, _ = card_with_msk()
    deliver(card, session.ltkm(2, msk_id=MSK_2))
    deliver(card, session.ltkm(3, msk_id=MSK_1))
    deliver(card, session.ltkm(4, msk_id=MSK_3))
    assert card.record(EF_MSK, 1) == msk_entry((MSK_3, 0), (MSK_1, 0))


def test_the_same_group_number_in_another_domain_is_another_group() -> None:
    card, session, _ = card_with_msk()
    domain = bytes.fromhex("13F062")
    deliver(card, session.ltkm(2, key_domain_id=domain))
    assert card.record(EF_MSK, 2) == msk_entry((MSK_1, 0), domain=domain)


@pytest.mark.parametrize("size", [16, 24, 32])
@pytest.mark.norm("27")
def test_an_msk_of_each_size(size: int) -> None:
    card, session = card_with_muk()
    message = session.ltkm(msk=bytes(range(size)))
    deliver(card, message)
    assert card.mbms(MTK_GENERATION, stkm(message).build()) == TEK_AND_SALT


@pytest.mark.parametrize("id_type", [1, 2, 255])
@pytest.mark.norm("10")
def test_the_type_of_an_identity_is_ignored(id_type: int) -> None:
    """TS 33.246 clause 6.4.5.1. The type byte is under the MAC, which is made anew here."""
    card, session = card_with_muk()
    raw = session.ltkm(id_i_type=id_type).build()
    assert b"\x06" + bytes((id_type,)) in raw
    assert card.mbms(MSK_UPDATE, raw) == DONE


# --- the MUK: last generated, last used


@pytest.mark.norm("11", "19")
def test_a_derived_muk_is_taken_up_before_the_mac_is_looked_at() -> None:
    card, first, _ = card_with_msk()
    second = bootstrap(card, 2)
    derive_naf_keys(card)
    assert card.record(EF_MUK, 1) == muk_entry(FQDN, first.b_tid, 1), "a derivation alone takes nothing up"
    assert card.mbms(MSK_UPDATE, second.ltkm(1, psk=bytes(32)).build()).sw == "9862"
    assert card.record(EF_MUK, 1) == muk_entry(FQDN, second.b_tid, 0), "forged, and yet the MUK is taken up"
    card = card.reopened().ready()
    assert card.record(EF_MUK, 1) == muk_entry(FQDN, second.b_tid, 0), "for good"
    deliver(card, second.ltkm(1))
    assert card.record(EF_MUK, 1) == muk_entry(FQDN, second.b_tid, 1)


@pytest.mark.norm("12")
def test_a_message_under_the_muk_used_last_is_told_and_has_no_effect() -> None:
    card, first, message = card_with_msk()
    second = bootstrap(card, 2)
    derive_naf_keys(card)
    old = first.ltkm(9, msk=bytes(16), verify=True)
    assert card.mbms(MSK_UPDATE, old.build()) == Answer("", "9865"), "authentic: the terminal learns that it is stale"
    assert card.record(EF_MSK, 1) == msk_entry((MSK_1, 0))
    assert card.record(EF_MUK, 1) == muk_entry(FQDN, second.b_tid, 0)
    card.mbms_refused("9865", MSK_UPDATE, old.build())
    card.mbms_refused("9862", MSK_UPDATE, replace(old, psk=bytes(32)).build())
    assert card.mbms(MTK_GENERATION, stkm(message).build()) == TEK_AND_SALT, "the MSK of before is as it was"


@pytest.mark.norm("12")
def test_the_muk_used_last_is_forgotten_when_the_new_one_is_used() -> None:
    card, first, _ = card_with_msk()
    second = bootstrap(card, 2)
    derive_naf_keys(card)
    deliver(card, second.ltkm(1, msk_id=MSK_2))
    card.mbms_refused("6A88", MSK_UPDATE, first.ltkm(3, msk_id=MSK_2).build())


@pytest.mark.norm("14")
def test_a_third_muk_is_unknown() -> None:
    """Generated last and used last are known; what lay between was never used."""
    card, first, _ = card_with_msk()
    second = bootstrap(card, 2)
    derive_naf_keys(card)
    card.mbms(MSK_UPDATE, second.ltkm(1, psk=bytes(32)).build())
    bootstrap(card, 3)
    derive_naf_keys(card)
    card.mbms(MSK_UPDATE, first.ltkm(9).build())
    card.mbms_refused("6A88", MSK_UPDATE, second.ltkm(2).build())
    card.mbms_refused("9865", MSK_UPDATE, first.ltkm(9).build())


@pytest.mark.norm("14")
def test_without_a_naf_key_it_must_be_derived_first() -> None:
    card = TestCard.new().ready()
    session = bootstrap(card)
    card.mbms_refused("6985", MSK_UPDATE, session.ltkm().build())
    derive_naf_keys(card)
    deliver(card, session.ltkm())


@pytest.mark.norm("14")
def test_a_muk_in_use_outlives_its_naf_key() -> None:
    """TS 31.102 clause 7.1.1.5. The test card has room for two NAF keys."""
    card, session, _ = card_with_msk()
    for name in (b"one", b"two"):
        derive_naf_keys(card, name + UA_MBMS)
    assert BM_SC not in card.record(EF_GBANL, 1) + card.record(EF_GBANL, 2)
    deliver(card, session.ltkm(2))


@pytest.mark.norm("11")
def test_a_newer_naf_key_that_was_overwritten_must_be_derived_again() -> None:
    card, first, _ = card_with_msk()
    second = bootstrap(card, 2)
    derive_naf_keys(card)
    for name in (b"one", b"two"):
        derive_naf_keys(card, name + UA_MBMS)
    card = card.reopened().ready()
    for session in (first, second):
        card.mbms_refused("6985", MSK_UPDATE, session.ltkm(5).build())
    derive_naf_keys(card)
    deliver(card, second.ltkm(5))


@pytest.mark.norm("16")
def test_a_naf_key_of_another_protocol_is_no_muk() -> None:
    card = TestCard.new().ready()
    session = bootstrap(card)
    derive_naf_keys(card, FQDN + bytes.fromhex("0100000002"))
    card.mbms_refused("6985", MSK_UPDATE, session.ltkm().build())


@pytest.mark.norm("8")
def test_the_naf_id_is_no_idi() -> None:
    card, session = card_with_muk()
    card.mbms_refused("6985", MSK_UPDATE, session.ltkm(id_i=BM_SC).build())


def test_a_message_of_another_subscriber() -> None:
    card, session = card_with_muk()
    deliver(card, session.ltkm())
    card.mbms_refused("6A88", MSK_UPDATE, session.ltkm(2, id_r=b"someone@else").build())
    card.mbms_refused("6985", MSK_UPDATE, session.ltkm(2, id_i=b"other.bmsc").build())
    card.mbms_refused("9862", MSK_UPDATE, session.ltkm(2, psk=bytes(32)).build())


# --- freshness


@pytest.mark.parametrize("counter", [0, 4, 5, 0x80000005, 0x80000006])
@pytest.mark.norm("17", "18")
def test_a_counter_that_is_not_newer(counter: int) -> None:
    """RFC 1982 with 32 bits; the distance it leaves undefined counts as old."""
    card, session, _ = card_with_msk()
    deliver(card, session.ltkm(5))
    card.mbms_refused("9862", MSK_UPDATE, session.ltkm(counter, msk_id=MSK_2).build())


@pytest.mark.parametrize("first", [0, 1, 0x80000000, 0xE9000000, 0xFFFFFFFF])
@pytest.mark.norm("17")
def test_whatever_comes_first_is_new(first: int) -> None:
    card, session = card_with_muk()
    deliver(card, session.ltkm(first))
    assert card.record(EF_MUK, 1) == muk_entry(FQDN, session.b_tid, first)
    card.mbms_refused("9862", MSK_UPDATE, session.ltkm(first).build())
    deliver(card, session.ltkm((first + 1) % 2**32))


@pytest.mark.norm("17")
def test_the_counter_wraps() -> None:
    card, session = card_with_muk()
    deliver(card, session.ltkm(0xFFFFFFF0))
    deliver(card, session.ltkm(5))
    card.mbms_refused("9862", MSK_UPDATE, session.ltkm(0xFFFFFFF1).build())


@pytest.mark.norm("19")
def test_the_same_muk_derived_again_keeps_its_counter() -> None:
    """Not in the text, which resets it: a terminal must not make old messages new by deriving again."""
    card, session, message = card_with_msk()
    derive_naf_keys(card)
    card.mbms_refused("9862", MSK_UPDATE, message.build())
    deliver(card, session.ltkm(2))


def test_redelivery_of_the_same_key_keeps_its_counter() -> None:
    card, session, message = card_with_msk()
    card.mbms(MTK_GENERATION, stkm(message, 5).build())
    deliver(card, session.ltkm(2))
    assert card.record(EF_MSK, 1) == msk_entry((MSK_1, 5))
    card.mbms_refused("9865", MTK_GENERATION, stkm(message, 5).build())


@pytest.mark.norm("25")
def test_another_key_under_the_same_identifier_goes_on_with_its_counter() -> None:
    card, session, message = card_with_msk()
    card.mbms(MTK_GENERATION, stkm(message, 5).build())
    second = session.ltkm(2, msk=bytes(16))
    deliver(card, second)
    assert card.record(EF_MSK, 1) == msk_entry((MSK_1, 5))
    card.mbms_refused("9865", MTK_GENERATION, stkm(second, 5).build())
    assert card.mbms(MTK_GENERATION, stkm(second, 6).build()) == TEK_AND_SALT


@pytest.mark.norm("26")
def test_a_key_that_was_deleted_goes_on_when_it_comes_back() -> None:
    card, session, message = card_with_msk()
    card.mbms(MTK_GENERATION, stkm(message, 5).build())
    card.mbms(3, message.key_domain_id + MSK_1[:2])
    deliver(card, session.ltkm(2))
    assert card.record(EF_MSK, 1) == msk_entry((MSK_1, 5))
    card.mbms_refused("9865", MTK_GENERATION, stkm(message, 5).build())


@pytest.mark.norm("26")
def test_a_key_that_was_pushed_out_goes_on_when_it_comes_back() -> None:
    card, session, message = card_with_msk()
    card.mbms(MTK_GENERATION, stkm(message, 5).build())
    for counter, msk_id in enumerate((MSK_2, MSK_3), 2):
        deliver(card, session.ltkm(counter, msk_id=msk_id))
    card.mbms_refused("6A88", MTK_GENERATION, stkm(message, 6).build())
    deliver(card, session.ltkm(4))
    assert card.record(EF_MSK, 1) == msk_entry((MSK_1, 5), (MSK_3, 0))
    card.mbms_refused("9865", MTK_GENERATION, stkm(message, 5).build())


def test_another_key_under_an_identifier_that_was_free_begins_anew() -> None:
    card, session, message = card_with_msk()
    card.mbms(MTK_GENERATION, stkm(message, 5).build())
    card.mbms(3, message.key_domain_id + MSK_1[:2])
    second = session.ltkm(2, msk=bytes(16))
    deliver(card, second)
    assert card.record(EF_MSK, 1) == msk_entry((MSK_1, 0))
    assert card.mbms(MTK_GENERATION, stkm(second, 1).build()) == TEK_AND_SALT


# --- special messages


@pytest.mark.parametrize("key", [b"", bytes(16)])
@pytest.mark.norm("20")
def test_a_solicited_pull_moves_the_counter_and_nothing_else(key: bytes) -> None:
    """Key Number 0 without tokens (TS 33.246 clause 6.3.2.2.4); a key in it is none."""
    card, session, message = card_with_msk()
    deliver(card, session.ltkm(4, msk_id=CURRENT, msk=key, pull=not key))
    assert card.record(EF_MUK, 1) == muk_entry(FQDN, session.b_tid, 4)
    assert card.record(EF_MSK, 1) == msk_entry((MSK_1, 0))
    assert card.record(EF_MSK, 2) == EMPTY_GROUP
    card.mbms_refused("9862", MSK_UPDATE, session.ltkm(4, msk_id=CURRENT, pull=True).build())
    assert card.mbms(MTK_GENERATION, stkm(message).build()) == TEK_AND_SALT


@pytest.mark.norm("21")
def test_new_limits_without_a_key() -> None:
    card, session, message = card_with_msk()
    deliver(card, session.ltkm(2, msk_id=MSK_2))
    deliver(card, session.ltkm(3, msk=b"", lower=b"\x00\x10", upper=b"\x00\x20"))
    assert card.record(EF_MSK, 1) == msk_entry((MSK_1, 0), (MSK_2, 0)), "the MSK is the newer one now"
    card.mbms_refused("9865", MTK_GENERATION, stkm(message, 0x10).build())
    assert card.mbms(MTK_GENERATION, stkm(message, 0x11).build()) == TEK_AND_SALT
    card.mbms_refused("9865", MTK_GENERATION, stkm(message, 0x21).build())


@pytest.mark.norm("21")
def test_new_limits_of_an_unknown_key_move_the_counter_only() -> None:
    card, session = card_with_muk()
    deliver(card, session.ltkm(3, msk=b""))
    assert card.record(EF_MUK, 1) == muk_entry(FQDN, session.b_tid, 3)
    assert card.record(EF_MSK, 1) == EMPTY_GROUP


def test_nothing_encrypted_and_no_pull() -> None:
    card, session, _ = card_with_msk()
    card.mbms_refused("9862", MSK_UPDATE, session.ltkm(2, pull=True).build())


@pytest.mark.norm("22")
def test_an_invalidated_msk_stays_and_gives_nothing_until_it_is_revived() -> None:
    card, session, message = card_with_msk()
    card.mbms(MTK_GENERATION, stkm(message, 2).build())
    deliver(card, session.ltkm(3, lower=b"\x00\x02", upper=b"\x00\x01"))
    assert card.record(EF_MSK, 1) == msk_entry((MSK_1, 2))
    card.mbms_refused("6985", MTK_GENERATION, stkm(message, 3).build())
    deliver(card, session.ltkm(4, msk=b"", lower=b"\x00\x02", upper=b"\x00\x08"))
    assert card.mbms(MTK_GENERATION, stkm(message, 3).build()) == TEK_AND_SALT


@pytest.mark.norm("22")
def test_an_invalidated_msk_that_is_unknown_is_stored_like_any_other() -> None:
    card, session = card_with_muk()
    message = session.ltkm(1, lower=b"\x00\x02", upper=b"\x00\x01")
    deliver(card, message)
    assert card.record(EF_MSK, 1) == msk_entry((MSK_1, 0))
    card.mbms_refused("6985", MTK_GENERATION, stkm(message).build())


# --- room


@pytest.mark.norm("15")
def test_no_record_is_free_for_another_bm_sc() -> None:
    """Told before the MAC is looked at."""
    card = TestCard.new().ready()
    session = bootstrap(card)
    for number in (1, 2):
        naf = b"bmsc%d" % number + UA_MBMS
        derive_naf_keys(card, naf)
        deliver(card, session.ltkm(1, naf))
    naf = b"bmsc3" + UA_MBMS
    derive_naf_keys(card, naf)
    card.mbms_refused("9867", MSK_UPDATE, session.ltkm(1, naf).build())
    card.mbms_refused("9867", MSK_UPDATE, session.ltkm(1, naf, psk=bytes(32)).build())
    deliver(card, session.ltkm(2, b"bmsc1" + UA_MBMS))


@pytest.mark.norm("38")
def test_an_identity_that_no_record_can_hold_has_no_room() -> None:
    """The NAF ID fits EF_GBANL, and with the B-TID inside A0 it is too long for EF_MUK: TS 31.102 has 9867 for it."""
    card = TestCard.new().ready()
    session = bootstrap(card)
    name = b"n" * 128
    derive_naf_keys(card, name + UA_MBMS)
    card.mbms_refused("9867", MSK_UPDATE, session.ltkm(1, name + UA_MBMS).build())


def test_each_group_has_a_record_until_none_is_free() -> None:
    card, session, _ = card_with_msk()
    for counter, group in enumerate(OTHER_GROUPS[:2], 2):
        deliver(card, session.ltkm(counter, msk_id=group))
    assert [card.record(EF_MSK, n)[4:8] for n in (1, 2, 3)] == [MSK_1, *OTHER_GROUPS[:2]]
    card.mbms_refused("9866", MSK_UPDATE, session.ltkm(9, msk_id=OTHER_GROUPS[2]).build())
    assert card.record(EF_MUK, 1) == muk_entry(FQDN, session.b_tid, 3), "T does not move"
    deliver(card, session.ltkm(9, msk_id=MSK_2))


# --- what cannot be read or used


def test_every_changed_byte_is_refused() -> None:
    card, session, _ = card_with_msk()
    message = session.ltkm(2).build()
    for position in range(len(message)):
        forged = bytearray(message)
        forged[position] ^= 0x01
        before = card.persistent()
        answer = card.mbms(MSK_UPDATE, bytes(forged))
        assert answer.sw in ("9862", "6985", "6A88"), f"byte {position}: {answer}"
        assert card.persistent() == before, f"byte {position}"
    deliver(card, session.ltkm(2))


@pytest.mark.parametrize("message", [b"", b"\x01", bytes(10), bytes(200), b"\xff" * 200])
@pytest.mark.norm("38")
def test_no_mikey_message(message: bytes) -> None:
    """One status word for a validation that failed; never 6985, or the terminal would derive again."""
    card, _ = card_with_muk()
    card.mbms_refused("9862", MSK_UPDATE, message)


@pytest.mark.parametrize("size", [1, 15, 17, 23, 33, 64])
@pytest.mark.norm("27", "38")
def test_an_msk_of_another_size(size: int) -> None:
    card, session, _ = card_with_msk()
    card.mbms_refused("9862", MSK_UPDATE, session.ltkm(2, msk=bytes(size)).build())


@pytest.mark.parametrize("size", [0, 1, 15])
@pytest.mark.norm("28")
def test_a_rand_that_is_too_short(size: int) -> None:
    card, session, _ = card_with_msk()
    card.mbms_refused("9862", MSK_UPDATE, session.ltkm(2, rand=bytes(size)).build())


@pytest.mark.parametrize("limits", [(b"", b"\x01"), (b"\x01", b""), (bytes(9), bytes(9))])
def test_validity_limits_of_no_size(limits: tuple[bytes, bytes]) -> None:
    card, session, _ = card_with_msk()
    card.mbms_refused("9862", MSK_UPDATE, session.ltkm(2, lower=limits[0], upper=limits[1]).build())


def test_an_mtk_message() -> None:
    card, _, message = card_with_msk()
    card.mbms_refused("9862", MSK_UPDATE, stkm(message).build())


# --- who may, and when


def test_no_application_is_selected() -> None:
    card = TestCard.new()
    card.verify(0x01, PIN1)
    card.refused("6985", "008980850353010A")


def test_the_pin_is_not_verified() -> None:
    card = TestCard.new()
    card.ok(SELECT_USIM)
    card.refused("6982", "008980850353010A")


def test_the_service_is_off() -> None:
    card = TestCard.new(card_profile(disabled=(69,))).ready()
    card.refused("9864", "008980850353010A")


@pytest.mark.norm("37")
def test_the_service_of_gba_is_not_asked_for() -> None:
    card = TestCard.new(card_profile(disabled=(68,))).ready()
    card.refused("9862", "0089808503530101")


def test_the_files_are_not_the_user_s_to_write() -> None:
    card, _, _ = card_with_msk()
    for fid, size in ((EF_MSK, 20), (EF_MUK, 200), (EF_GBANL, 200)):
        card.ok(f"00A4000C02{fid:04X}")
        card.refused("6982", f"00DC0104{size:02X}", bytes(size))
