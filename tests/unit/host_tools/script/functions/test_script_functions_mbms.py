"""What scripts compute for GBA_U and MBMS, against vectors and oracle (TS 33.220, TS 33.246 clause 6.4)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from card.crypto.milenage import Milenage
from card.crypto.secret import Secret
from host_tools.script.functions.call import Call
from host_tools.script.values import Scope, Value
from tests.oracle.mikey import Ltkm, Stkm
from tests.unit.host_tools.headend.networks import OPC, K
from tests.unit.host_tools.script.functions.test_script_functions_bcast import SRTP_POLICY
from tests.vectors.loader import load

CSB_ID = 0x42434153
DOMAIN, MSK_ID = bytes.fromhex("99F999"), bytes.fromhex("FFFE0001")
MUK, MSK, RAND, TEK, SALT = bytes(range(32)), bytes(range(16)), bytes(range(16, 32)), bytes(range(64, 80)), bytes(14)
BMSC, B_TID = b"bmsc.example.org", b"AAAA@bsf.example.org"
ARGUMENTS = "muk, domain, msk_id, msk, 0x0000, 0x0064, 0x00000007, bmsc, b_tid, rand"
LTKM = Ltkm(
    MUK, CSB_ID, RAND, 7, BMSC, B_TID, DOMAIN, MSK_ID, MSK, b"\0\0", b"\0\x64",
    verify=False, ssrc=CSB_ID, sp=SRTP_POLICY,
)  # fmt: skip
VALUES = {
    "muk": MUK, "domain": DOMAIN, "msk_id": MSK_ID, "msk": MSK, "rand": RAND, "bmsc": BMSC, "b_tid": B_TID, "tek": TEK,
    "salt": SALT,
}  # fmt: skip


def run(text: str, **more: bytes) -> bytes:
    scope = Scope()
    scope.update({name: Value(value) for name, value in {**VALUES, **more}.items()})
    return Call.parse(text).evaluate(scope).data


def record(idi: bytes, counter: int = 7) -> bytes:
    """Return a record of EF_MUK (TS 31.102 clause 4.2.81)."""
    names = b"\x80" + bytes((len(B_TID),)) + B_TID + b"\x82" + bytes((len(idi),)) + idi
    return (b"\xa0" + bytes((len(names),)) + names + b"\x81\x04" + counter.to_bytes(4, "big")).ljust(100, b"\xff")


@pytest.mark.norm("2")
def test_res_of_gba_u_is_flipped_and_that_of_aka_is_not() -> None:
    vector = load("gba")["vectors"][0]
    known = {"k": K.reveal(), "opc": OPC.reveal(), "rand": vector["rand"]}
    assert run("gba_res(k, opc, rand)", **known) == vector["res_sent"]
    assert run("res(k, opc, rand)", **known) == vector["res"] == Milenage(K, OPC).f2345(vector["rand"]).res


@pytest.mark.norm("72")
@pytest.mark.parametrize(
    ("function", "changes"),
    [
        ("ltkm", {}),
        ("ltkm_v", {"verify": True}),
        ("ltkm_download", {"ssrc": None, "sp": None}),
    ],
)
def test_msk_messages(function: str, changes: dict[str, Any]) -> None:
    assert run(f"{function}({ARGUMENTS})") == replace(LTKM, **changes).build()


@pytest.mark.norm("72")
def test_messages_without_a_key() -> None:
    assert run(f"ltkm({ARGUMENTS})", msk=b"") == replace(LTKM, msk=b"").build()
    pull = replace(LTKM, pull=True, msk_id=MSK_ID[:2] + bytes(2))
    assert run("ltkm_pull(muk, domain, 0xFFFE, 0x00000007, bmsc, b_tid, rand)") == pull.build()


@pytest.mark.norm("58", "72")
@pytest.mark.parametrize(("salt", "expected"), [(SALT, SALT), (b"", None)])
def test_mtk_messages(salt: bytes, expected: bytes | None) -> None:
    wanted = Stkm(MSK, CSB_ID, RAND, 9, DOMAIN, MSK_ID, b"\0\x02", TEK, expected)
    assert run("stkm(msk, domain, msk_id, 0x0002, tek, salt, 0x00000009, rand)", salt=salt) == wanted.build()


def test_the_verification_message_is_checked() -> None:
    sent = replace(LTKM, verify=True)
    assert run("verified(sent, answer, muk)", sent=sent.build(), answer=sent.build_verification())


@pytest.mark.parametrize("idi", [BMSC, b"01." + BMSC])
def test_a_muk_of_a_suite_is_found_in_ef_muk(idi: bytes) -> None:
    muk_id = record(idi)[2 : 2 + record(idi)[1]]
    assert run("muk_id_under(record, bmsc)", record=record(idi)) == muk_id


@pytest.mark.parametrize(
    "content", [record(b"bmsc.operator.example"), record(b"my" + BMSC), b"\xff" * 100, b"", b"\xa0\x05"]
)
def test_nobody_elses_muk_is_named(content: bytes) -> None:
    assert run("muk_id_under(record, bmsc)", record=content) == b"\x80\x06nobody\x82\x06nobody"


def test_the_counter_of_a_bm_sc() -> None:
    assert run("ltkm_counter(0x00000000, record, bmsc)", record=record(BMSC)) == bytes((0, 0, 0, 7))
    for content in (record(b"01." + BMSC), b"\xff" * 100):
        assert run("ltkm_counter(0x00000001, record, bmsc)", record=content) == bytes((0, 0, 0, 1))


def test_keys_of_gba_stay_secret() -> None:
    scope = Scope()
    scope.update({"k": Value(K.reveal(), secret=True), "opc": Value(OPC.reveal(), secret=True), "rand": Value(RAND)})
    assert Call.parse("ks_int_naf(k, opc, rand, 'impi', 'naf')").evaluate(scope).secret
    assert Secret(K.reveal()) == K
