"""The terminal reads the answers of the vectors."""

from __future__ import annotations

import pytest

from card.crypto.secret import Secret
from host_tools.terminal.aka import GbaResponse, decode_gba, decode_naf_key
from host_tools.terminal.answers import decode_deletion_answer, decode_msk_answer, decode_mtk_answer
from host_tools.terminal.key_files import MskEntry, MukEntry, NafEntry, decode_msks, decode_muk, decode_naf
from tests.support.testcard import lv
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
    assert decode_msk_answer(vector["answer"]).verification == vector["verification"]
    assert decode_msk_answer(b"\x53\x01\xdb").verification is None


@pytest.mark.norm("27")
@pytest.mark.parametrize("name", ["stkm", "download_stkm"])
def test_mtk_with_and_without_a_salt(name: str) -> None:
    vector = MESSAGES[name]
    answer = decode_mtk_answer(vector["answer"])
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
