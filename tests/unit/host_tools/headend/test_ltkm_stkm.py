"""LTKM, STKM and verification message, byte for byte (TS 33.246 clause 6.4.5, RFC 3830, RFC 4563)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from card.codec.mikey import (
    CryptoSession,
    CsIdMapType,
    Extension,
    Identity,
    IdentityType,
    KeyInterval,
    MbmsKeyIds,
    MikeyMessage,
    SecurityPolicy,
)
from card.crypto.secret import Secret
from card.errors import DecodeError, EncodeError
from host_tools.headend.bsm.ltkm import LtkmContent, open_verification, recipient, renew_ltkm, seal_ltkm
from host_tools.headend.bsm.srtp_policy import SrtpDescription, srtp_description
from host_tools.headend.errors import VerificationError
from host_tools.headend.stkm import StkmContent, seal_stkm
from tests.oracle.mikey import open_kemac
from tests.vectors.loader import load
from tests.vectors.messages import msk_message

VECTORS = load("mikey")
LTKM, STKM = VECTORS["ltkm"], VECTORS["stkm"]
SMK = Secret(LTKM["psk"])


def content_of(vector: dict[str, Any]) -> LtkmContent:
    """Return what a message of the vectors says. The vectors have another policy than our packets: see below."""
    validity = KeyInterval.between(vector["lower"], vector["upper"], 2) if "lower" in vector else None
    return LtkmContent(
        key_ids=MbmsKeyIds(vector["key_domain_id"], vector["msk_id"]),
        key=Secret(vector.get("key", b"")),
        validity=validity,
        counter=vector["timestamp"],
        csb_id=vector["csb_id"],
        rand=vector["rand"],
        fqdn=vector["id_i"],
        b_tid=vector["id_r"].decode(),
        verification_requested=vector["verify"],
    )


def with_policy(content: LtkmContent, vector: dict[str, Any]) -> LtkmContent:
    """Return the content with the stream of a vector, whose policy is that of RFC 4771."""
    policy = SecurityPolicy(0, 0, vector["sp_params"])
    return replace(content, stream=SrtpDescription(CryptoSession(0, vector["ssrc"], 0), policy))


LTKM_CONTENT = with_policy(content_of(LTKM), LTKM)
STKM_CONTENT = StkmContent(
    key_ids=MbmsKeyIds(STKM["key_domain_id"], STKM["msk_id"], STKM["mtk_id"]),
    tek=Secret(STKM["key"]),
    salt=Secret(STKM["key_salt"]),
    counter=STKM["timestamp"],
)


@pytest.mark.norm("8", "9", "57")
def test_the_streaming_ltkm_of_the_vectors() -> None:
    assert seal_ltkm(LTKM_CONTENT, SMK) == LTKM["message"]


@pytest.mark.norm("8", "9", "57", "62")
@pytest.mark.parametrize("name", ["download_ltkm", "pull", "validity_only", "invalidation"])
def test_the_other_ltkms_of_the_vectors(name: str) -> None:
    vector = VECTORS[name]
    assert seal_ltkm(content_of(vector), Secret(vector["psk"])) == vector["message"]


@pytest.mark.norm("57")
def test_the_policy_describes_the_packets_we_send() -> None:
    """SRTP with HMAC-SHA-1 of 80 bits, rate 0; the tag of RFC 4771 comes with other forms of content."""
    described = srtp_description(0x12345678, 2)
    raw = seal_ltkm(replace(LTKM_CONTENT, stream=described), SMK)
    message = MikeyMessage.decode(raw)
    assert message.header.sessions == (CryptoSession(0, 0x12345678, 2),)
    assert message.header.map_type is CsIdMapType.SRTP_ID
    (policy,) = message.all(SecurityPolicy)
    assert policy.parameters.hex(" ", 3) == (
        "000101 010110 020101 030114 04010e 050100 060100 070101 080101 0a0101 0b010a"
    )


@pytest.mark.norm("9")
def test_both_identities_are_of_type_nai() -> None:
    """TS 33.246 clause 6.4.5.1: though IDi is an FQDN."""
    identities = MikeyMessage.decode(seal_ltkm(LTKM_CONTENT, SMK)).all(Identity)
    assert [(item.type, item.value) for item in identities] == [
        (IdentityType.NAI, LTKM["id_i"]),
        (IdentityType.NAI, LTKM["id_r"]),
    ]


@pytest.mark.parametrize("size", [16, 24, 32])
def test_keys_of_three_sizes(size: int) -> None:
    """TS 33.246 clause 4.2."""
    key = Secret(bytes(range(size)))
    raw = seal_ltkm(replace(LTKM_CONTENT, key=key), SMK)
    plain = open_kemac(SMK.reveal(), LTKM["rand"], raw)
    assert plain is not None
    assert plain[:4] + plain[4 : 4 + size] == bytes((0, 0x22, 0, size)) + key.reveal()
    stkm = seal_stkm(STKM_CONTENT, key, STKM["csb_id"], STKM["rand"])
    assert open_kemac(key.reveal(), STKM["rand"], stkm) == STKM["key_data"]


@pytest.mark.norm("62")
@pytest.mark.parametrize("name", ["ltkm", "download_ltkm", "pull", "validity_only"])
def test_a_message_that_is_sent_again_differs_in_t_alone(name: str) -> None:
    """TS 33.246 clause 6.4.3."""
    sent = replace(msk_message(name), timestamp=0x1234)
    assert renew_ltkm(msk_message(name).build(), Secret(sent.psk), 0x1234) == sent.build()


def test_the_stkm_of_the_vectors() -> None:
    assert seal_stkm(STKM_CONTENT, Secret(STKM["psk"]), STKM["csb_id"], STKM["rand"]) == STKM["message"]


@pytest.mark.norm("58")
def test_the_download_stkm_of_the_vectors() -> None:
    """TS 33.246 clause 6.4.5.3: a TGK without a salt."""
    vector = VECTORS["download_stkm"]
    ids = MbmsKeyIds(vector["key_domain_id"], vector["msk_id"], vector["mtk_id"])
    content = StkmContent(ids, Secret(vector["key"]), None, vector["timestamp"])
    assert seal_stkm(content, Secret(vector["psk"]), vector["csb_id"], vector["rand"]) == vector["message"]


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
    assert open_kemac(STKM["psk"], bytes(16), stkm) == bytes.fromhex("00000010") + STKM["key"]


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


@pytest.mark.norm("63")
def test_an_answer_without_idr_is_refused() -> None:
    """TS 33.246 clause 6.4.5.2: HDR, TS, IDr, V."""
    sent = msk_message("ltkm")
    name = sent.id_r
    id_payload = b"\x09\x00" + len(name).to_bytes(2, "big") + name
    answer = LTKM["verification"].replace(b"\x06" + LTKM["verification"][11:16], b"\x09" + LTKM["verification"][11:16])
    without = answer.replace(id_payload, b"")
    assert len(without) == len(LTKM["verification"]) - len(id_payload)
    with pytest.raises(VerificationError, match="one ID payload wanted, 0 found"):
        open_verification(LTKM["message"], without, SMK)


def test_an_answer_with_a_crypto_session_is_refused() -> None:
    answer = LTKM["verification"]
    with_session = answer[:8] + b"\x01\x00" + bytes(9) + answer[10:]
    with pytest.raises(VerificationError, match="crypto session"):
        open_verification(LTKM["message"], with_session, SMK)


def test_values_that_do_not_fit_are_refused() -> None:
    with pytest.raises(EncodeError):
        seal_ltkm(replace(LTKM_CONTENT, rand=bytes(256)), SMK)
    with pytest.raises(EncodeError):
        seal_stkm(replace(STKM_CONTENT, key_ids=MbmsKeyIds(b"\0", STKM["msk_id"])), SMK, 1, bytes(16))
