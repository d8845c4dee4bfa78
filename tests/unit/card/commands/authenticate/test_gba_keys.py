"""NAF derivation, EF_GBANL, and what happens to keys when others come."""

from __future__ import annotations

import pytest

from tests.support.network import (
    BM_SC,
    IMPI,
    MSK_UPDATE,
    UA_MBMS,
    autn_star,
    bootstrap,
    card_with_muk,
    deliver,
    derive_naf_keys,
    rand,
    vector,
    write_b_tid,
)
from tests.support.profiles import card_profile
from tests.support.testcard import TestCard, lv, tlv
from tests.vectors.loader import load

EF_GBANL = 0x6FDA
NAFS = [name + UA_MBMS for name in (b"one.example", b"two.example", b"three.example")]


@pytest.fixture
def card() -> TestCard:
    return TestCard.new().ready()


def entry(naf_id: bytes, b_tid: bytes) -> bytes:
    return (tlv(0x80, naf_id) + tlv(0x81, b_tid)).ljust(200, b"\xff")


def test_ks_ext_naf_is_returned_and_the_naf_listed(card: TestCard) -> None:
    session = bootstrap(card)
    assert derive_naf_keys(card) == b"\xdb" + lv(session.ks_ext_naf())
    assert card.record(EF_GBANL, 1) == entry(BM_SC, session.b_tid)


def test_the_documented_vector() -> None:
    vector = load("gba")["vectors"][0]
    sqn = 0xFF9BB4D0B607
    card = TestCard.new(card_profile(initial_seq=(sqn >> 5) - 1)).ready()
    card.ok("0088008423DD", lv(vector["rand"], vector["autn_star"]))
    data = b"\xde" + lv(vector["naf_id"], vector["impi"])
    assert card.ok("00880084", bytes((len(data),)), data) == b"\xdb" + lv(vector["ks_ext_naf"])


def test_without_bootstrapping(card: TestCard) -> None:
    data = b"\xde" + lv(BM_SC, IMPI)
    card.refused("6985", "00880084", bytes((len(data),)), data)


def test_the_same_naf_again_takes_the_same_record(card: TestCard) -> None:
    first = bootstrap(card, 1)
    derive_naf_keys(card, NAFS[0])
    derive_naf_keys(card, NAFS[1])
    second = bootstrap(card, 2)
    assert derive_naf_keys(card, NAFS[0]) == b"\xdb" + lv(second.ks_ext_naf(NAFS[0]))
    assert card.record(EF_GBANL, 1) == entry(NAFS[0], second.b_tid)
    assert card.record(EF_GBANL, 2) == entry(NAFS[1], first.b_tid)


@pytest.mark.norm("4")
def test_with_no_record_free_the_key_derived_longest_ago_goes(card: TestCard) -> None:
    session = bootstrap(card)
    derive_naf_keys(card, NAFS[0])
    derive_naf_keys(card, NAFS[1])
    derive_naf_keys(card, NAFS[0])
    derive_naf_keys(card, NAFS[2])
    assert card.record(EF_GBANL, 1) == entry(NAFS[0], session.b_tid)
    assert card.record(EF_GBANL, 2) == entry(NAFS[2], session.b_tid)


@pytest.mark.norm("4")
def test_a_key_that_was_used_stays(card: TestCard) -> None:
    """TS 31.102 clause 7.1.1.5: least recently used or derived. An MSK update uses the key."""
    session = bootstrap(card)
    derive_naf_keys(card, NAFS[0])
    derive_naf_keys(card, NAFS[1])
    deliver(card, session.ltkm(naf_id=NAFS[0]))
    derive_naf_keys(card, NAFS[2])
    assert card.record(EF_GBANL, 1) == entry(NAFS[0], session.b_tid)
    assert card.record(EF_GBANL, 2) == entry(NAFS[2], session.b_tid)


@pytest.mark.norm("4")
def test_each_message_is_a_use_of_its_key(card: TestCard) -> None:
    """Not only the one with which the MUK was taken up."""
    session = bootstrap(card)
    derive_naf_keys(card, NAFS[0])
    deliver(card, session.ltkm(naf_id=NAFS[0]))
    derive_naf_keys(card, NAFS[1])
    deliver(card, session.ltkm(2, naf_id=NAFS[0]))
    derive_naf_keys(card, NAFS[2])
    assert card.record(EF_GBANL, 1) == entry(NAFS[0], session.b_tid)
    assert card.record(EF_GBANL, 2) == entry(NAFS[2], session.b_tid)


@pytest.mark.norm("4", "11")
def test_a_take_up_is_a_use_of_a_key_whatever_the_message_is_worth(card: TestCard) -> None:
    session = bootstrap(card)
    derive_naf_keys(card, NAFS[0])
    derive_naf_keys(card, NAFS[1])
    assert card.mbms(MSK_UPDATE, session.ltkm(naf_id=NAFS[0], psk=bytes(32)).build()).sw == "9862"
    derive_naf_keys(card, NAFS[2])
    assert card.record(EF_GBANL, 1) == entry(NAFS[0], session.b_tid)


@pytest.mark.norm("3")
def test_a_usim_wants_the_impi(card: TestCard) -> None:
    """TS 31.102 clause 7.1.2.4."""
    bootstrap(card)
    data = b"\xde" + lv(BM_SC)
    card.refused("6700", "00880084", bytes((len(data),)), data)


def test_a_refused_message_is_no_use_of_a_key(card: TestCard) -> None:
    session = bootstrap(card)
    derive_naf_keys(card, NAFS[0])
    deliver(card, session.ltkm(naf_id=NAFS[0]))
    derive_naf_keys(card, NAFS[1])
    card.mbms_refused("9862", MSK_UPDATE, session.ltkm(2, naf_id=NAFS[0], psk=bytes(32)).build())
    derive_naf_keys(card, NAFS[2])
    assert card.record(EF_GBANL, 1) == entry(NAFS[2], session.b_tid)


def test_a_lost_naf_key_cannot_open_a_message(card: TestCard) -> None:
    session = bootstrap(card)
    for naf in NAFS:
        derive_naf_keys(card, naf)
    card.mbms_refused("6985", MSK_UPDATE, session.ltkm(naf_id=NAFS[0]).build())
    deliver(card, session.ltkm(naf_id=NAFS[1]))


def test_keys_survive_power() -> None:
    card, session = card_with_muk()
    deliver(card.reopened().ready(), session.ltkm())


def test_a_key_belongs_to_the_b_tid_it_was_derived_under(card: TestCard) -> None:
    made = vector(1, rand(1))
    card.ok("0088008423DD", lv(rand(1), autn_star(made)))
    derive_naf_keys(card)
    assert card.record(EF_GBANL, 1) == entry(BM_SC, b""), "no B-TID was written yet"
    session = bootstrap(card, 2)
    write_b_tid(card, session)
    assert card.mbms(MSK_UPDATE, session.ltkm().build()).sw == "6A88"
    derive_naf_keys(card)
    deliver(card, session.ltkm())


@pytest.mark.parametrize("size", [0, 1, 62])
def test_any_name_that_fits_the_record(card: TestCard, size: int) -> None:
    session = bootstrap(card)
    derive_naf_keys(card, bytes(size))
    assert card.record(EF_GBANL, 1) == entry(bytes(size), session.b_tid)


@pytest.mark.norm("38")
def test_a_name_that_does_not_fit_the_record(card: TestCard) -> None:
    bootstrap(card)
    data = b"\xde" + lv(bytes(190), b"i")
    card.refused("6700", "00880084", bytes((len(data),)), data)


@pytest.mark.parametrize("content", [b"", b"\xff" * 128, b"\x10" + bytes(16) + b"\xff" * 111, b"\x80" * 128])
def test_whatever_the_terminal_writes_into_ef_gbabp(card: TestCard, content: bytes) -> None:
    """A B-TID that cannot be read counts as none."""
    bootstrap(card)
    if content:
        card.ok("00A4000C026FD6")
        card.ok("00D60000", bytes((len(content),)), content)
    derive_naf_keys(card)
    assert (b"@bsf" in card.record(EF_GBANL, 1)) is (content == b"")
