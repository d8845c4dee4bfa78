"""The chain of TS 33.246 and TS 31.102 with numbers that no code of this project made.

Told once, to the card through APDUs and to the model of the oracle: every answer, status word and record.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from card.codec.mikey import (
    CryptoSession,
    Identity,
    KeyData,
    KeyInterval,
    KeyType,
    MbmsKeyIds,
    MikeyMessage,
    SecurityPolicy,
    decode_key_data,
)
from card.crypto.secret import Secret
from tests.oracle import mikey
from tests.oracle.mbms_model import Answer
from tests.support.mbms_pair import CardSide, Side, new_model
from tests.support.network import LIFETIME
from tests.support.profiles import card_profile
from tests.support.testcard import TestCard, lv
from tests.vectors.loader import load
from tests.vectors.messages import MSK_MESSAGES, MTK_MESSAGES, msk_message, mtk_message

GBA, SECOND, MESSAGES = load("gba")["vectors"][0], load("gba")["second"], load("mikey")
LTKM, STKM = MESSAGES["ltkm"], MESSAGES["stkm"]
ACCEPTED = Answer(b"\xdb", "9000")
FIRST_SEQ = 0xFF9BB4D0B607 >> 5


def refused(sw: str) -> Answer:
    return Answer(b"", sw)


def new_card() -> Side:
    return CardSide(TestCard.new(card_profile(initial_seq=FIRST_SEQ - 1)))


@pytest.fixture(params=[new_card, new_model], ids=["card", "model"])
def side(request: pytest.FixtureRequest) -> Side:
    make: Callable[[], Side] = request.param
    return make()


def boot(side: Side, vector: dict[str, Any]) -> None:
    """Bootstrap as a vector says, write the B-TID, derive the keys of the BM-SC."""
    answer = side.bootstrap(vector["rand"], vector["autn_star"])
    assert answer == Answer(b"\xdb" + lv(vector["res_sent"]), "9000")
    side.write_gbabp(17, lv(vector["b_tid"], LIFETIME))
    answer = side.derive(GBA["naf_id"], GBA["impi"])
    assert (answer.sw, answer.data[:2]) == ("9000", b"\xdb\x20")


def with_msk(side: Side) -> Side:
    """Bootstrap and deliver the MSK."""
    boot(side, GBA)
    assert side.update_msk(LTKM["message"]) == Answer(LTKM["answer"][2:], "9000")
    return side


def shows(records: list[bytes], first: bytes) -> None:
    """The first record shows this and all others are free."""
    assert [record.rstrip(b"\xff") for record in records] == [first.rstrip(b"\xff")] + [b""] * (len(records) - 1)


def muk_file(vector: dict[str, Any], counter: int) -> bytes:
    """Return the record of EF_MUK with another B-TID and T."""
    before = LTKM["ef_muk"].replace(LTKM["id_r"], vector["b_tid"])
    return bytes(before[:-4] + counter.to_bytes(4, "big"))


@pytest.mark.norm("1", "8", "24", "74")
def test_from_bootstrapping_to_the_files(side: Side) -> None:
    with_msk(side)
    shows(side.ef_muk(), LTKM["ef_muk"])
    shows(side.ef_msk(), LTKM["ef_msk"])
    shows(side.ef_gbanl(), LTKM["ef_gbanl"])


def test_the_ks_ext_naf_is_the_mrk(side: Side) -> None:
    boot(side, GBA)
    assert side.derive(GBA["naf_id"], GBA["impi"]).data == b"\xdb" + lv(GBA["ks_ext_naf"])


def test_payloads_in_another_order(side: Side) -> None:
    boot(side, GBA)
    assert side.update_msk(LTKM["other_order"]) == Answer(LTKM["answer"][2:], "9000")
    assert side.generate_mtk(STKM["t_first"]) == Answer(STKM["answer"][2:], "9000")


@pytest.mark.norm("31", "32")
def test_mtk_messages_in_rising_order(side: Side) -> None:
    with_msk(side)
    assert side.generate_mtk(STKM["message"]) == Answer(STKM["answer"][2:], "9000")
    shows(side.ef_msk(), STKM["ef_msk"])
    for again in (STKM["message"], STKM["t_first"]):  # the MTK ID is not above SEQl
        assert side.generate_mtk(again) == refused("9865")
    own = MESSAGES["stkm_own_csb"]
    assert side.generate_mtk(own["message"]) == Answer(b"\xdb" + own["key"] + own["key_salt"], "9000")
    assert side.generate_mtk(STKM["message"]) == refused("9865")


@pytest.mark.norm("25", "36")
def test_download(side: Side) -> None:
    with_msk(side)
    assert side.generate_mtk(STKM["message"]).sw == "9000"
    assert side.update_msk(MESSAGES["download_ltkm"]["message"]) == ACCEPTED
    shows(side.ef_msk(), STKM["ef_msk"])  # the same MSK ID keeps its T
    shows(side.ef_muk(), muk_file(GBA, 2))
    download = MESSAGES["download_stkm"]
    assert side.generate_mtk(download["message"]) == Answer(download["answer"][2:], "9000")


@pytest.mark.norm("20", "21", "22", "32")
def test_pull_validity_and_invalidation(side: Side) -> None:
    with_msk(side)
    assert side.update_msk(MESSAGES["pull"]["message"]) == ACCEPTED
    shows(side.ef_msk(), LTKM["ef_msk"])
    shows(side.ef_muk(), muk_file(GBA, 4))
    assert side.update_msk(MESSAGES["validity_only"]["message"]) == ACCEPTED
    within = replace(mtk_message("stkm"), timestamp=4, mtk_id=b"\x00\x11")
    below, above = replace(within, mtk_id=b"\x00\x10"), replace(within, mtk_id=b"\x00\x21")
    assert [side.generate_mtk(message.build()) for message in (below, above)] == [refused("9865")] * 2
    assert side.generate_mtk(within.build()).sw == "9000"
    assert side.update_msk(MESSAGES["invalidation"]["message"]) == ACCEPTED
    shows(side.ef_msk(), replace_t(LTKM["ef_msk"], 4))
    assert side.generate_mtk(STKM["message"]) == refused("6985")
    assert side.update_msk(MESSAGES["invalidation"]["message"]) == refused("9862")


def replace_t(record: bytes, counter: int) -> bytes:
    """Return the record of EF_MSK with another first T."""
    return record[:8] + counter.to_bytes(4, "big") + record[12:]


@pytest.mark.norm("11", "12", "14", "25", "31", "34")
def test_last_generated_and_last_used_muk(side: Side) -> None:
    with_msk(side)
    boot(side, SECOND)
    old, new = MESSAGES["under_last_used_muk"], MESSAGES["under_second_muk"]
    assert side.update_msk(old["message"]) == refused("9865")
    shows(side.ef_muk(), muk_file(SECOND, 0))
    shows(side.ef_msk(), LTKM["ef_msk"])
    assert side.generate_mtk(STKM["message"]) == Answer(STKM["answer"][2:], "9000")
    assert side.update_msk(new["message"]) == ACCEPTED
    shows(side.ef_muk(), muk_file(SECOND, 1))
    shows(side.ef_msk(), STKM["ef_msk"])
    third, fourth = (replace(mtk_message("stkm"), timestamp=9, mtk_id=bytes((0, number))) for number in (3, 4))
    assert side.generate_mtk(third.build()) == refused("9865")
    assert side.generate_mtk(fourth.build()).sw == "9000"
    assert side.update_msk(old["message"]) == refused("6A88")


@pytest.mark.norm("12")
def test_a_forged_message_under_the_last_used_muk(side: Side) -> None:
    with_msk(side)
    boot(side, SECOND)
    forged = MESSAGES["under_last_used_muk"]["message"][:-1] + b"\0"
    assert side.update_msk(forged) == refused("9862")


@pytest.mark.norm("40")
def test_the_blocks_of_the_vectors() -> None:
    side = CardSide(TestCard.new(card_profile(initial_seq=FIRST_SEQ - 1)))
    assert side.card.exchange(GBA["command"]).data.lower() == GBA["answer"].hex()
    side.write_gbabp(17, lv(GBA["b_tid"], LIFETIME))
    side.derive(GBA["naf_id"], GBA["impi"])
    assert side.card.send(LTKM["first_block"]).sw == "63F1"
    assert side.card.send(LTKM["next_block"]).sw == "62F3"
    assert side.card.send("0089A085", "00") == (LTKM["answer"].hex().upper(), "9000")


# --- the codec


@pytest.mark.parametrize("name", MSK_MESSAGES + MTK_MESSAGES)
def test_every_message_is_read_and_written_again(name: str) -> None:
    vector = MESSAGES[name]
    message = MikeyMessage.decode(vector["message"])
    assert message.encode() == vector["message"]
    assert message.key_ids() == MbmsKeyIds(vector["key_domain_id"], vector["msk_id"], vector.get("mtk_id"))
    assert message.header.csb_id == vector["csb_id"]
    assert message.header.verification_requested is vector.get("verify", False)
    assert [identity.value for identity in message.all(Identity)] == [
        vector[field] for field in ("id_i", "id_r") if field in vector
    ]


def test_session_and_policy_of_a_streaming_service() -> None:
    message = MikeyMessage.decode(LTKM["message"])
    assert message.header.sessions == (CryptoSession(0, LTKM["ssrc"], 0),)
    assert message.all(SecurityPolicy) == (SecurityPolicy(0, 0, LTKM["sp_params"]),)


def test_key_data_without_a_key_still_holds_limits() -> None:
    vector = MESSAGES["validity_only"]
    (data,) = decode_key_data(vector["key_data"])
    assert data == KeyData(KeyType.TEK, Secret(b""), None, KeyInterval.between(vector["lower"], vector["upper"], 2))


def test_a_pull_encrypts_nothing() -> None:
    vector = MESSAGES["pull"]
    assert mikey.read(vector["message"]).encrypted == b""
    assert mikey.read(vector["message"]).msk_id[2:] == bytes(2)
    assert msk_message("pull").plain == b""
