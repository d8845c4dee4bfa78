"""LTKM, STKM and verification message, byte for byte."""

from __future__ import annotations

from dataclasses import replace

import pytest

from card.codec.mikey import Extension, KeyInterval, MbmsKeyIds, MikeyMessage
from card.crypto.secret import Secret
from card.errors import DecodeError, EncodeError
from host_tools.headend.errors import VerificationError
from host_tools.headend.ltkm import LtkmContent, open_verification, recipient, seal_ltkm
from host_tools.headend.stkm import StkmContent, seal_stkm
from tests.oracle.mikey import open_kemac
from tests.vectors.loader import load

VECTORS = load("mikey")
LTKM, STKM = VECTORS["ltkm"], VECTORS["stkm"]
SMK = Secret(LTKM["psk"])

LTKM_CONTENT = LtkmContent(
    key_ids=MbmsKeyIds(LTKM["key_domain_id"], LTKM["msk_id"]),
    key=Secret(LTKM["key"]),
    validity=KeyInterval.between(LTKM["lower"], LTKM["upper"], 2),
    counter=LTKM["timestamp"],
    csb_id=LTKM["csb_id"],
    rand=LTKM["rand"],
    naf_id=LTKM["id_i"],
    b_tid=LTKM["id_r"].decode(),
)
STKM_CONTENT = StkmContent(
    key_ids=MbmsKeyIds(STKM["key_domain_id"], STKM["msk_id"], STKM["mtk_id"]),
    tek=Secret(STKM["key"]),
    salt=Secret(STKM["key_salt"]),
    counter=STKM["timestamp"],
)


def test_the_ltkm_of_the_vectors() -> None:
    assert seal_ltkm(LTKM_CONTENT, SMK) == LTKM["message"]


def test_the_stkm_of_the_vectors() -> None:
    assert seal_stkm(STKM_CONTENT, Secret(STKM["psk"]), STKM["csb_id"], STKM["rand"]) == STKM["message"]


def test_the_verification_message_of_the_vectors_is_accepted() -> None:
    open_verification(LTKM["message"], LTKM["verification"], SMK)


def test_the_extension_stands_behind_the_key_ids_under_the_mac() -> None:
    extension = Extension.of_bcast(1, b"\x12\x34")
    raw = seal_ltkm(replace(LTKM_CONTENT, extension=extension, verification_requested=False), SMK)
    message = MikeyMessage.decode(raw)
    assert message.payloads[1] == extension
    assert not message.header.verification_requested
    assert open_kemac(SMK.reveal(), LTKM["rand"], raw) == LTKM["key_data"]
    stkm = seal_stkm(replace(STKM_CONTENT, extension=extension, salt=None), Secret(STKM["psk"]), 7, bytes(16))
    assert MikeyMessage.decode(stkm).payloads[1] == extension
    assert open_kemac(STKM["psk"], bytes(16), stkm) == bytes.fromhex("00200010") + STKM["key"]


def test_the_recipient_is_the_b_tid() -> None:
    assert recipient(LTKM["message"]) == LTKM_CONTENT.b_tid
    with pytest.raises(DecodeError):
        recipient(STKM["message"])


@pytest.mark.parametrize("at", range(len(LTKM["verification"])))
def test_no_bit_of_a_verification_message_may_differ(at: int) -> None:
    changed = bytearray(LTKM["verification"])
    changed[at] ^= 1
    with pytest.raises(VerificationError):
        open_verification(LTKM["message"], bytes(changed), SMK)


@pytest.mark.parametrize(
    ("ltkm", "answer", "smk", "complaint"),
    [
        (LTKM["message"], LTKM["verification"], Secret(bytes(32)), "MAC"),
        (LTKM["message"], LTKM["message"], SMK, "not a verification message"),
        (LTKM["message"], b"", SMK, "cannot be read"),
        (seal_ltkm(replace(LTKM_CONTENT, counter=2), SMK), LTKM["verification"], SMK, "another LTKM"),
        (seal_ltkm(replace(LTKM_CONTENT, b_tid="a@b"), SMK), LTKM["verification"], SMK, "another B-TID"),
    ],
)
def test_an_answer_that_does_not_belong_is_refused(ltkm: bytes, answer: bytes, smk: Secret, complaint: str) -> None:
    with pytest.raises(VerificationError, match=complaint):
        open_verification(ltkm, answer, smk)


def test_values_that_do_not_fit_are_refused() -> None:
    with pytest.raises(EncodeError):
        seal_ltkm(replace(LTKM_CONTENT, rand=bytes(256)), SMK)
    with pytest.raises(EncodeError):
        seal_stkm(replace(STKM_CONTENT, key_ids=MbmsKeyIds(b"\0", STKM["msk_id"])), SMK, 1, bytes(16))
