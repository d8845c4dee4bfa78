"""MSK deletion and MUK deletion (TS 31.102 clauses 7.1.1.9 and 7.1.1.10)."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from card.spec.provisional import CAPACITY, Choice
from tests.support.mbms import (
    DONE,
    EF_GBABP,
    EF_GBANL,
    EF_MSK,
    EF_MUK,
    EMPTY_GROUP,
    EMPTY_MUK,
    EMPTY_NAF,
    MSK_1,
    MSK_2,
    OTHER_GROUPS,
    TEK_AND_SALT,
    msk_entry,
    muk_entry,
    muk_id,
    naf_entry,
)
from tests.support.network import (
    BM_SC,
    FQDN,
    KEY_DOMAIN,
    MSK_DELETION,
    MSK_UPDATE,
    MTK_GENERATION,
    MUK_DELETION,
    UA_MBMS,
    bootstrap,
    card_with_msk,
    deliver,
    derive_naf_keys,
    refused_naf_derivation,
    stkm,
    write_b_tid,
)
from tests.support.testcard import tlv

# --- MSKs


@pytest.mark.norm("24")
def test_msk_deletion() -> None:
    card, session, message = card_with_msk()
    deliver(card, session.ltkm(2, msk_id=MSK_2))
    deliver(card, session.ltkm(3, msk_id=OTHER_GROUPS[0]))
    assert card.mbms(MSK_DELETION, KEY_DOMAIN + MSK_1[:2]) == DONE
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
@pytest.mark.norm("38")
def test_msk_deletion_of_another_size(body: bytes) -> None:
    card, _, _ = card_with_msk()
    card.mbms_refused("6700", MSK_DELETION, body)


# --- MUKs


@pytest.mark.norm("5", "13")
def test_the_naf_key_and_ks_go_with_the_muk() -> None:
    card, session, message = card_with_msk()
    card.mbms_refused("6A88", MUK_DELETION, muk_id(FQDN, b"other"))
    card.mbms_refused("6A88", MUK_DELETION, muk_id(b"other", session.b_tid))
    card.mbms_refused("6A88", MUK_DELETION, muk_id(BM_SC, session.b_tid))
    assert card.record(EF_GBANL, 1) == naf_entry(BM_SC, session.b_tid)
    assert card.mbms(MUK_DELETION, muk_id(FQDN, session.b_tid)) == DONE
    assert card.record(EF_MUK, 1) == EMPTY_MUK
    assert card.record(EF_GBANL, 1) == EMPTY_NAF
    assert set(card.binary(EF_GBABP)) == {0xFF}
    refused_naf_derivation(card)
    card.mbms_refused("6985", MSK_UPDATE, session.ltkm(2).build())
    card.mbms_refused("6A88", MUK_DELETION, muk_id(FQDN, session.b_tid))
    assert card.mbms(MTK_GENERATION, stkm(message).build()) == TEK_AND_SALT, "the MSKs stay"


@pytest.mark.norm("13")
def test_a_ks_of_another_b_tid_stays() -> None:
    card, first, _ = card_with_msk()
    second = bootstrap(card, 2)
    before = card.binary(EF_GBABP)
    assert card.mbms(MUK_DELETION, muk_id(FQDN, first.b_tid)) == DONE
    assert card.binary(EF_GBABP) == before
    assert card.record(EF_GBANL, 1) == EMPTY_NAF, "the NAF key of the MUK is gone"
    derive_naf_keys(card)
    deliver(card, second.ltkm(1))


@pytest.mark.norm("13")
def test_a_newer_naf_key_goes_too() -> None:
    """The NAF key goes by its NAF_ID, whatever B-TID it was derived under."""
    card, first, _ = card_with_msk()
    second = bootstrap(card, 2)
    derive_naf_keys(card)
    assert card.record(EF_GBANL, 1) == naf_entry(BM_SC, second.b_tid)
    assert card.mbms(MUK_DELETION, muk_id(FQDN, first.b_tid)) == DONE
    assert card.record(EF_GBANL, 1) == EMPTY_NAF
    card.mbms_refused("6985", MSK_UPDATE, second.ltkm(1).build())
    derive_naf_keys(card)
    deliver(card, second.ltkm(1))


@pytest.mark.norm("13")
def test_the_muk_used_last_goes_with_the_one_generated_last() -> None:
    card, first, _ = card_with_msk()
    second = bootstrap(card, 2)
    derive_naf_keys(card)
    card.mbms(MSK_UPDATE, second.ltkm(1, psk=bytes(32)).build())
    assert card.mbms(MUK_DELETION, muk_id(FQDN, second.b_tid)) == DONE
    card.mbms_refused("6985", MSK_UPDATE, first.ltkm(2).build())


def test_an_old_ltkm_stays_old_after_muk_deletion() -> None:
    """A terminal that writes another B-TID keeps Ks, and derives the same MUK again: its counter is remembered."""
    card, session, _ = card_with_msk()
    write_b_tid(card, bootstrap(card, 2))
    derive_naf_keys(card, b"other" + UA_MBMS)
    card.ok("00A4000C026FD6")
    wrong = b"\x05wrong\x00"
    third = bootstrap(card, 3)
    card.ok("00A4000C026FD6")
    card.ok("00D60011", bytes((len(wrong),)), wrong)
    derive_naf_keys(card)
    deliver(card, third.ltkm(5, id_r=b"wrong"))
    write_b_tid(card, third)
    assert card.mbms(MUK_DELETION, muk_id(FQDN, b"wrong")) == DONE
    derive_naf_keys(card)
    assert card.mbms(MSK_UPDATE, session.ltkm(9).build()).sw == "6A88"
    assert card.mbms(MSK_UPDATE, third.ltkm(5).build()).sw == "9862", "replayed"
    deliver(card, third.ltkm(6))
    assert card.record(EF_MUK, 1) == muk_entry(FQDN, third.b_tid, 6)


def test_many_msks_that_go_do_not_make_an_old_ltkm_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered of MUKs and of MSKs are two tables."""
    remembered = cast("dict[str, Choice]", CAPACITY)
    monkeypatch.setitem(remembered, "forgotten_keys", replace(CAPACITY["forgotten_keys"], value=2))
    card, session, message = card_with_msk()
    card.ok("00A4000C026FD6")
    card.ok("00D60011", b"\x07\x05wrong\x00")
    for counter, msk_id in enumerate((MSK_2, *OTHER_GROUPS[:2]), 2):
        following = session.ltkm(counter, msk_id=msk_id)
        deliver(card, following)
        card.mbms(MTK_GENERATION, stkm(following).build())
    assert card.mbms(MUK_DELETION, muk_id(FQDN, session.b_tid)) == DONE
    for group in (MSK_1, *OTHER_GROUPS[:2]):
        card.mbms(MSK_DELETION, KEY_DOMAIN + group[:2])
    write_b_tid(card, session)
    derive_naf_keys(card)
    assert card.mbms(MSK_UPDATE, message.build()).sw == "9862"


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
@pytest.mark.norm("38")
def test_muk_deletion_malformed(body: bytes) -> None:
    card, _, _ = card_with_msk()
    card.mbms_refused("6700", MUK_DELETION, body)
