"""MTK generation: what is checked, in the order of TS 31.102 clause 7.1.1.8, and what leaves the card."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.oracle.mikey import Ltkm
from tests.support.mbms import EF_MSK, EF_MUK, MSK_1, MSK_2, TEK_AND_SALT, msk_entry, muk_entry
from tests.support.network import (
    FQDN,
    MTK_GENERATION,
    UA_MBMS,
    bootstrap,
    card_with_msk,
    card_with_muk,
    deliver,
    derive_naf_keys,
    stkm,
    write_b_tid,
)
from tests.support.testcard import Answer


@pytest.mark.parametrize("size", [16, 24, 32])
@pytest.mark.norm("27", "36")
def test_a_tek_with_and_without_salt(size: int) -> None:
    card, _, message = card_with_msk()
    key = bytes(range(size))
    salted = card.mbms(MTK_GENERATION, stkm(message, 1, tek=key).build())
    assert salted == Answer("DB" + (key + bytes(range(0xC0, 0xCE))).hex().upper(), "9000")
    plain = card.mbms(MTK_GENERATION, stkm(message, 2, tek=key, salt=None).build())
    assert plain == Answer("DB" + key.hex().upper(), "9000")


# --- limits


@pytest.mark.parametrize(
    ("mtk_id", "sw"), [(9, "9865"), (10, "9865"), (11, "9000"), (15, "9000"), (20, "9000"), (21, "9865")]
)
@pytest.mark.norm("31", "32")
def test_key_validity(mtk_id: int, sw: str) -> None:
    """The lower limit is exclusive, the upper one inclusive."""
    card, session = card_with_muk()
    message = session.ltkm(lower=b"\x00\x0a", upper=b"\x00\x14")
    deliver(card, message)
    traffic = stkm(message, mtk_id=mtk_id.to_bytes(2, "big")).build()
    if sw == "9000":
        assert card.mbms(MTK_GENERATION, traffic).sw == sw
    else:
        card.mbms_refused(sw, MTK_GENERATION, traffic)


@pytest.mark.parametrize("mtk_id", [0, 4, 5])
@pytest.mark.norm("31")
def test_an_mtk_id_that_does_not_rise(mtk_id: int) -> None:
    card, _, message = card_with_msk()
    card.mbms(MTK_GENERATION, stkm(message, 5).build())
    card.mbms_refused("9865", MTK_GENERATION, stkm(message, 6, mtk_id=mtk_id.to_bytes(2, "big")).build())
    assert card.mbms(MTK_GENERATION, stkm(message, 6).build()) == TEK_AND_SALT


@pytest.mark.norm("31")
def test_the_lower_limit_begins_anew_with_each_delivery() -> None:
    card, session, message = card_with_msk()
    card.mbms(MTK_GENERATION, stkm(message, 9).build())
    deliver(card, session.ltkm(2, lower=b"\x00\x03"))
    card.mbms_refused("9865", MTK_GENERATION, stkm(message, 10, mtk_id=b"\x00\x03").build())
    assert card.mbms(MTK_GENERATION, stkm(message, 10, mtk_id=b"\x00\x04").build()) == TEK_AND_SALT


def test_wide_limits() -> None:
    card, session = card_with_muk()
    for counter, (lower, upper) in enumerate([(b"\x00\x00", b"\x01"), (bytes(8), b"\xff" * 8)], 1):
        message = session.ltkm(counter, lower=lower, upper=upper, msk=bytes((counter,)) * 16)
        deliver(card, message)
        assert card.mbms(MTK_GENERATION, stkm(message, counter, mtk_id=b"\x00\x01").build()) == TEK_AND_SALT


# --- order


@pytest.mark.parametrize(
    ("limits", "changes", "sw"),
    [
        ({"lower": b"\x00\x09", "upper": b"\x00\x01"}, {"mtk_id": b"\x00\x30", "psk": bytes(16)}, "6985"),
        ({"upper": b"\x00\x20"}, {"mtk_id": b"\x00\x30", "psk": bytes(16)}, "9865"),
        ({"upper": b"\x00\x20"}, {"psk": bytes(16), "timestamp": 0}, "9862"),
        ({"upper": b"\x00\x20"}, {"timestamp": 4}, "9865"),
    ],
)
@pytest.mark.norm("33", "35")
def test_the_order_of_the_checks(limits: dict[str, Any], changes: dict[str, Any], sw: str) -> None:
    """Invalidated, MTK ID, MAC, and last our own look at T, which the text leaves to the terminal."""
    card, session, message = card_with_msk()
    card.mbms(MTK_GENERATION, stkm(message, 5).build())
    renewed: Ltkm = replace(session.ltkm(2), **limits)
    deliver(card, renewed)
    card.mbms_refused(sw, MTK_GENERATION, stkm(renewed, 6, **changes).build())


def test_an_unknown_msk() -> None:
    card, _, message = card_with_msk()
    card.mbms_refused("6A88", MTK_GENERATION, stkm(message, msk_id=MSK_2).build())
    card.mbms_refused("6A88", MTK_GENERATION, stkm(message, key_domain_id=b"\0\0\0").build())


@pytest.mark.parametrize("changes", [{"psk": bytes(16)}, {"rand": bytes(16)}])
def test_a_message_under_another_key(changes: dict[str, Any]) -> None:
    card, _, message = card_with_msk()
    card.mbms_refused("9862", MTK_GENERATION, stkm(message, **changes).build())


# --- freshness


@pytest.mark.parametrize("counter", [0, 3, 4, 0x80000004])
@pytest.mark.norm("35")
def test_a_counter_that_is_not_newer(counter: int) -> None:
    card, _, message = card_with_msk()
    card.mbms(MTK_GENERATION, stkm(message, 4).build())
    card.mbms_refused("9865", MTK_GENERATION, stkm(message, counter, mtk_id=b"\x00\x05").build())
    assert card.record(EF_MSK, 1) == msk_entry((MSK_1, 4))


@pytest.mark.norm("35")
def test_the_counter_wraps() -> None:
    card, _, message = card_with_msk()
    for mtk, counter in enumerate((0xFFFFFFF0, 5), 1):
        traffic = stkm(message, counter, mtk_id=mtk.to_bytes(2, "big"))
        assert card.mbms(MTK_GENERATION, traffic.build()) == TEK_AND_SALT
    assert card.record(EF_MSK, 1) == msk_entry((MSK_1, 5))


def test_the_counter_survives_power() -> None:
    card, _, message = card_with_msk()
    card.mbms(MTK_GENERATION, stkm(message, 3).build())
    card = card.reopened().ready()
    card.mbms_refused("9865", MTK_GENERATION, stkm(message, 3).build())
    assert card.mbms(MTK_GENERATION, stkm(message, 4).build()) == TEK_AND_SALT


@pytest.mark.norm("34")
def test_an_msk_works_on_whatever_becomes_of_its_muk() -> None:
    """Nothing in MTK generation asks for the MUK."""
    card, _, message = card_with_msk()
    second = bootstrap(card, 2)
    assert card.mbms(MTK_GENERATION, stkm(message, 1).build()) == TEK_AND_SALT, "after a bootstrapping"
    derive_naf_keys(card)
    assert card.mbms(MTK_GENERATION, stkm(message, 2).build()) == TEK_AND_SALT, "after a derivation"
    deliver(card, second.ltkm(1, msk_id=MSK_2))
    assert card.record(EF_MUK, 1) == muk_entry(FQDN, second.b_tid, 1)
    assert card.mbms(MTK_GENERATION, stkm(message, 3).build()) == TEK_AND_SALT, "after a message under the new MUK"


def test_the_derivation_for_another_naf_is_nothing_to_it() -> None:
    card, _, message = card_with_msk()
    write_b_tid(card, bootstrap(card, 2))
    derive_naf_keys(card, b"other" + UA_MBMS)
    assert card.mbms(MTK_GENERATION, stkm(message).build()) == TEK_AND_SALT


# --- what cannot be read or used


@pytest.mark.parametrize("changes", [{"tek": bytes(15)}, {"tek": bytes(17)}, {"tek": b""}, {"salt": bytes(17)}])
@pytest.mark.norm("38")
def test_keys_of_another_size(changes: dict[str, Any]) -> None:
    card, _, message = card_with_msk()
    card.mbms_refused("9862", MTK_GENERATION, stkm(message, **changes).build())


@pytest.mark.parametrize("message", [b"", b"\x01", bytes(10), bytes(200), b"\xff" * 200])
@pytest.mark.norm("38")
def test_no_mikey_message(message: bytes) -> None:
    card, _ = card_with_muk()
    card.mbms_refused("9862", MTK_GENERATION, message)


def test_an_msk_message() -> None:
    card, session, _ = card_with_msk()
    card.mbms_refused("9862", MTK_GENERATION, session.ltkm(2).build())


def test_every_changed_byte_is_refused() -> None:
    card, _, message = card_with_msk()
    traffic = stkm(message).build()
    before = card.persistent()
    for position in range(len(traffic)):
        forged = bytearray(traffic)
        forged[position] ^= 0x01
        answer = card.mbms(MTK_GENERATION, bytes(forged))
        assert answer.sw in ("9862", "9865", "6A88"), f"byte {position}: {answer}"
        assert card.persistent() == before, f"byte {position}"
    assert card.mbms(MTK_GENERATION, traffic) == TEK_AND_SALT
