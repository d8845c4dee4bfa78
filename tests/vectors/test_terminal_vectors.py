"""The terminal reads the answers of the vectors."""

from __future__ import annotations

import pytest

from card.crypto.secret import Secret
from host_tools.terminal.aka import GbaResponse, decode_gba, decode_naf_key
from host_tools.terminal.answers import decode_deletion_answer, decode_msk_answer, decode_mtk_answer
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
