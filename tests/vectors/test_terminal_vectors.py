"""The terminal reads the answers of the vectors."""

from __future__ import annotations

import pytest

from card.crypto.secret import Secret
from card.spec.bcast.p1 import P1
from host_tools.apdu.client import ApduClient
from host_tools.links.inprocess import InProcessLink
from host_tools.terminal.aka import GbaResponse, decode_gba, decode_naf_key
from host_tools.terminal.answers import decode_deletion_answer, decode_msk_answer, decode_mtk_answer
from host_tools.terminal.bcast import Refusal, RefusalReason, Tek, feed_stkm
from host_tools.terminal.key_files import MskEntry, MukEntry, NafEntry, decode_msks, decode_muk, decode_naf
from host_tools.terminal.usim import Usim
from tests.support.mbms_pair import CardSide
from tests.support.network import LIFETIME
from tests.support.profiles import AID, PIN1, card_profile
from tests.support.testcard import TestCard, lv
from tests.vectors.loader import load

GBA, MESSAGES = load("gba")["vectors"][0], load("mikey")


def test_res_is_used_as_it_comes() -> None:
    """The terminal need not know of the flipped bit (TS 33.220 clause 5.3.2)."""
    answer = decode_gba(GBA["answer"])
    assert answer == GbaResponse(GBA["res_sent"])


def test_the_ks_ext_naf() -> None:
    assert decode_naf_key(b"\xdb" + lv(GBA["ks_ext_naf"])) == Secret(GBA["ks_ext_naf"])


def test_the_verification_message() -> None:
    vector = MESSAGES["ltkm"]
    assert decode_msk_answer(vector["answer"], P1).verification == vector["verification"]
    assert decode_msk_answer(b"\x53\x01\xdb", P1).verification is None


@pytest.mark.norm("27")
@pytest.mark.parametrize("name", ["stkm", "download_stkm"])
def test_mtk_with_and_without_a_salt(name: str) -> None:
    vector = MESSAGES[name]
    answer = decode_mtk_answer(vector["answer"], P1)
    salt = vector.get("key_salt")
    assert (answer.key, answer.salt) == (Secret(vector["key"]), None if salt is None else Secret(salt))


def test_a_deletion() -> None:
    decode_deletion_answer(b"\x53\x01\xdb")


@pytest.mark.norm("8", "68")
def test_the_key_files() -> None:
    vector, traffic = MESSAGES["ltkm"], MESSAGES["stkm"]
    assert decode_muk(padded(vector["ef_muk"])) == MukEntry(vector["id_i"], vector["id_r"], 1)
    assert decode_naf(padded(vector["ef_gbanl"])) == NafEntry(GBA["naf_id"], GBA["b_tid"])
    for record, counter in ((vector["ef_msk"], 0), (traffic["ef_msk"], 1)):
        assert [*decode_msks(record)] == [MskEntry(vector["key_domain_id"], vector["msk_id"], counter)]
    assert (decode_muk(padded(b"")), decode_naf(padded(b"")), [*decode_msks(b"\xff" * 20)]) == (None, None, [])


def padded(record: bytes) -> bytes:
    return record.ljust(200, b"\xff")


# --- with a card


@pytest.fixture
def usim() -> Usim:
    """A terminal's view of a card to which the MSK message of the vectors was delivered."""
    side = CardSide(TestCard.new(card_profile(initial_seq=(0xFF9BB4D0B607 >> 5) - 1)))
    side.bootstrap(GBA["rand"], GBA["autn_star"])
    side.write_gbabp(17, lv(GBA["b_tid"], LIFETIME))
    side.derive(GBA["naf_id"], GBA["impi"])
    usim = Usim(ApduClient(InProcessLink(side.card.card)), P1)
    usim.select_application(AID)
    usim.verify_pin(Secret(PIN1.encode()))
    assert usim.msk_update(MESSAGES["ltkm"]["message"]).verification == MESSAGES["ltkm"]["verification"]
    return usim


@pytest.mark.norm("70")
def test_a_wrong_mac_a_number_out_of_bounds_and_an_invalidated_key_are_told_apart(usim: Usim) -> None:
    """TS 31.102 clause 7.1.1.8: 9862, 9865 and 6985, and 6A88 for a key that is not there."""
    stkm = MESSAGES["stkm"]
    tek = Tek(Secret(stkm["key"]), Secret(stkm["key_salt"]))
    assert refusal(usim, stkm["message"][:-1] + b"\0") == (RefusalReason.WRONG_MAC, 0x9862)
    assert feed_stkm(usim, stkm["message"]) == tek
    assert refusal(usim, stkm["message"]) == (RefusalReason.NOT_FRESH, 0x9865)
    usim.msk_update(MESSAGES["invalidation"]["message"])
    assert refusal(usim, MESSAGES["stkm_own_csb"]["message"]) == (RefusalReason.CONDITIONS, 0x6985)
    usim.msk_deletion(stkm["key_domain_id"], stkm["msk_id"][:2])
    assert refusal(usim, MESSAGES["stkm_own_csb"]["message"]) == (RefusalReason.UNKNOWN_KEY, 0x6A88)


def refusal(usim: Usim, message: bytes) -> tuple[RefusalReason, int]:
    outcome = feed_stkm(usim, message)
    assert isinstance(outcome, Refusal)
    return outcome.reason, outcome.sw


@pytest.mark.norm("68")
def test_the_counters_of_free_and_used_records(usim: Usim) -> None:
    vector = MESSAGES["stkm"]
    name = vector["key_domain_id"] + vector["msk_id"]
    assert [usim.read_msk_counter(key) for key in (name, bytes(7))] == [0, None]
    feed_stkm(usim, vector["message"])
    assert usim.read_msk_counter(name) == 1
    assert [entry.counter for entry in usim.read_msks()] == [1]
