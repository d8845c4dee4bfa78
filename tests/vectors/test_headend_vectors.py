"""The head-end builds the messages of the vectors, byte for byte, and its answers are those of the vectors."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from card.codec.mikey import CryptoSession, KeyInterval, MbmsKeyIds, SecurityPolicy
from card.crypto import gba
from card.crypto.gba_push import Gpi, derive_gpi_keys, open_gpi, seal_gpi
from card.crypto.secret import Secret
from host_tools.headend.bsm.ltkm import LtkmContent, open_verification, seal_ltkm
from host_tools.headend.bsm.srtp_policy import SrtpDescription
from host_tools.headend.errors import VerificationError
from host_tools.headend.stkm import StkmContent, seal_stkm
from tests.vectors.loader import load
from tests.vectors.messages import MSK_MESSAGES, MTK_MESSAGES

GBA, MESSAGES, PUSH = load("gba")["vectors"][0], load("mikey"), load("gba_push")["vectors"][0]


def stream(vector: dict[str, Any]) -> SrtpDescription | None:
    """Return the stream that a vector names; only the first one does."""
    if "ssrc" not in vector:
        return None
    return SrtpDescription(CryptoSession(0, vector["ssrc"], 0), SecurityPolicy(0, 0, vector["sp_params"]))


@pytest.mark.norm("8", "9", "74")
@pytest.mark.parametrize("name", MSK_MESSAGES)
def test_msk_messages(name: str) -> None:
    vector = MESSAGES[name]
    content = LtkmContent(
        key_ids=MbmsKeyIds(vector["key_domain_id"], vector["msk_id"]),
        key=Secret(vector.get("key", b"")),
        validity=KeyInterval.between(vector["lower"], vector["upper"], 2) if "lower" in vector else None,
        counter=vector["timestamp"],
        csb_id=vector["csb_id"],
        rand=vector["rand"],
        fqdn=vector["id_i"],
        b_tid=vector["id_r"].decode(),
        verification_requested=vector["verify"],
        stream=stream(vector),
    )
    assert seal_ltkm(content, Secret(vector["psk"])) == vector["message"]


@pytest.mark.norm("58", "74")
@pytest.mark.parametrize("name", MTK_MESSAGES)
def test_mtk_messages(name: str) -> None:
    vector = MESSAGES[name]
    salt = vector.get("key_salt")
    content = StkmContent(
        key_ids=MbmsKeyIds(vector["key_domain_id"], vector["msk_id"], vector["mtk_id"]),
        tek=Secret(vector["key"]),
        salt=None if salt is None else Secret(salt),
        counter=vector["timestamp"],
    )
    assert seal_stkm(content, Secret(vector["psk"]), vector["csb_id"], vector["rand"]) == vector["message"]


@pytest.mark.norm("63")
def test_the_verification_message() -> None:
    vector, answer = MESSAGES["ltkm"], MESSAGES["ltkm"]["verification"]
    open_verification(vector["message"], answer, Secret(vector["psk"]))
    for position in range(len(answer)):
        changed = answer[:position] + bytes((answer[position] ^ 1,)) + answer[position + 1 :]
        with pytest.raises(VerificationError):
            open_verification(vector["message"], changed, Secret(vector["psk"]))


def test_the_tmpi() -> None:
    inputs = Secret(GBA["ks"]), GBA["rand"], GBA["impi"], GBA["bsf_name"]
    assert gba.derive_tmpi(*inputs).encode() == load("gba")["tmpi"]["tmpi"]


def test_push_both_ways() -> None:
    keys = derive_gpi_keys(Secret(PUSH["ks"]), PUSH["rand"], PUSH["impi"])
    fields = (PUSH[name] for name in ("integrity_key", "confidentiality_key", "iv"))
    assert (keys.integrity, keys.confidentiality, keys.iv) == tuple(map(Secret, fields))
    said = Gpi(
        gba_u=True,
        rand=PUSH["rand"],
        autn=PUSH["autn_star"],
        naf_id=PUSH["naf_id"],
        expires=datetime.fromisoformat(PUSH["key_lifetime"].decode()),
        p_tid=PUSH["p_tid"].decode(),
    )
    assert seal_gpi(said, keys) == PUSH["gpi"]
    assert open_gpi(PUSH["gpi"], keys) == said
