"""LTKMs and STKMs in the CSIM: the engine of the USIM, under keys from RK."""

from __future__ import annotations

import pytest

from tests.oracle import bcmcs
from tests.support.csim import NAI, RK, SELECT_CSIM, csim_card, ltkm
from tests.support.network import (
    FQDN,
    KEY_DOMAIN,
    MSK_DELETION,
    MSK_UPDATE,
    MTK_GENERATION,
    MUK_DELETION,
    bootstrap,
    derive_naf_keys,
    stkm,
)
from tests.support.testcard import SELECT_USIM, Answer, TestCard, lv, tlv

TEK = bytes(range(0xB0, 0xC0)) + bytes(range(0xC0, 0xCE))


@pytest.fixture
def card() -> TestCard:
    return csim_card()


def given(answer: Answer) -> bytes:
    assert answer.sw == "9000", answer
    return bytes.fromhex(answer.data)


def key_of(card: TestCard, number: int) -> bytes:
    return given(card.mbms(MTK_GENERATION, stkm(ltkm(), number).build()))


class TestLtkm:
    def test_it_brings_a_key(self, card: TestCard) -> None:
        assert card.mbms(MSK_UPDATE, ltkm().build()) == ("DB", "9000")
        assert TEK[:16] in key_of(card, 1)

    def test_the_verification_message(self, card: TestCard) -> None:
        message = ltkm(verify=True)
        assert message.build_verification() in given(card.mbms(MSK_UPDATE, message.build()))

    def test_each_rand_makes_its_own_smk(self, card: TestCard) -> None:
        other = ltkm(2, rand=bytes(range(16, 32)), msk_id=bytes.fromhex("00020001"))
        assert other.psk != ltkm().psk
        for message in (ltkm(), other):
            assert card.mbms(MSK_UPDATE, message.build()).sw == "9000"

    def test_under_the_tk_of_another_rand(self, card: TestCard) -> None:
        card.mbms_refused("9862", MSK_UPDATE, ltkm(psk=bcmcs.tk(RK, bytes(16))).build())

    def test_under_another_rk(self, card: TestCard) -> None:
        card.mbms_refused("9862", MSK_UPDATE, ltkm(psk=bcmcs.tk(bytes(16), bytes(range(16)))).build())

    def test_for_another_subscriber(self, card: TestCard) -> None:
        card.mbms_refused("6A88", MSK_UPDATE, ltkm(id_r=b"someone@cdma.example.org").build())

    @pytest.mark.parametrize("counter", [1, 4, 5])
    def test_replay(self, card: TestCard, counter: int) -> None:
        assert card.mbms(MSK_UPDATE, ltkm(5).build()).sw == "9000"
        card.mbms_refused("9862", MSK_UPDATE, ltkm(counter, rand=bytes(range(counter, 16 + counter))).build())

    def test_the_counter_cannot_be_deleted(self, card: TestCard) -> None:
        assert card.mbms(MSK_UPDATE, ltkm(5).build()).sw == "9000"
        muk = tlv(0xA0, tlv(0x80, NAI.encode()) + tlv(0x82, FQDN))
        card.mbms_refused("6A88", MUK_DELETION, muk)
        card.mbms_refused("9862", MSK_UPDATE, ltkm(5).build())

    def test_the_counter_survives_a_power_cut(self, card: TestCard) -> None:
        assert card.mbms(MSK_UPDATE, ltkm(5).build()).sw == "9000"
        again = card.reopened()
        again.ok(SELECT_CSIM)
        again.verify(0x01, "1234")
        again.mbms_refused("9862", MSK_UPDATE, ltkm(5).build())
        assert TEK[:16] in key_of(again, 1)

    def test_the_files_show_names_and_counters(self, card: TestCard) -> None:
        assert card.mbms(MSK_UPDATE, ltkm(5).build()).sw == "9000"
        assert card.record(0x6FD7, 1).startswith(KEY_DOMAIN + b"\x01" + ltkm().msk_id)
        assert NAI.encode() in card.record(0x6FD8, 1)


class TestStkm:
    def test_replay(self, card: TestCard) -> None:
        assert card.mbms(MSK_UPDATE, ltkm().build()).sw == "9000"
        key_of(card, 7)
        assert card.mbms(MTK_GENERATION, stkm(ltkm(), 7).build()).sw == "9865"

    def test_without_a_key(self, card: TestCard) -> None:
        card.mbms_refused("6A88", MTK_GENERATION, stkm(ltkm()).build())

    def test_deletion(self, card: TestCard) -> None:
        assert card.mbms(MSK_UPDATE, ltkm().build()).sw == "9000"
        assert card.mbms(MSK_DELETION, KEY_DOMAIN + b"\x00\x01").sw == "9000"
        card.mbms_refused("6A88", MTK_GENERATION, stkm(ltkm()).build())


class TestBesideTheUsim:
    def test_their_keys_do_not_mix(self, card: TestCard) -> None:
        assert card.mbms(MSK_UPDATE, ltkm().build()).sw == "9000"
        card.ok(SELECT_USIM)
        card.mbms_refused("6A88", MTK_GENERATION, stkm(ltkm()).build())
        card.mbms_refused("6985", MSK_UPDATE, ltkm(2).build())

    def test_both_work_in_turns(self, card: TestCard) -> None:
        card.ok(SELECT_USIM)
        session = bootstrap(card)
        derive_naf_keys(card)
        for_usim = session.ltkm()
        assert card.mbms(MSK_UPDATE, for_usim.build()).sw == "9000"
        card.ok(SELECT_CSIM)
        assert card.mbms(MSK_UPDATE, ltkm().build()).sw == "9000"
        for number in (1, 2, 3):
            card.ok(SELECT_USIM)
            assert TEK[:16] in given(card.mbms(MTK_GENERATION, stkm(for_usim, number).build()))
            card.ok(SELECT_CSIM)
            assert TEK[:16] in key_of(card, number)

    @pytest.mark.parametrize(
        "data", [("0088008122", lv(bytes(16), bytes(16))), ("0088008423DD", lv(bytes(16), bytes(16)))]
    )
    def test_a_csim_has_neither_aka_nor_gba(self, card: TestCard, data: tuple[str, bytes]) -> None:
        card.refused("9864", *data)
