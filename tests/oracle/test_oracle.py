"""The oracle against published numbers, so that agreement with the card means something."""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.oracle import aes, gba, http_digest, mikey, milenage
from tests.support.profiles import OPC, K
from tests.vectors.loader import load, load_text
from tests.vectors.messages import MSK_MESSAGES, MTK_MESSAGES, msk_message, mtk_message


@pytest.mark.parametrize(
    ("key", "plain", "cipher"),
    [
        # FIPS 197 appendices B and C.1
        (
            "2b7e151628aed2a6abf7158809cf4f3c",
            "3243f6a8885a308d313198a2e0370734",
            "3925841d02dc09fbdc118597196a0b32",
        ),
        (
            "000102030405060708090a0b0c0d0e0f",
            "00112233445566778899aabbccddeeff",
            "69c4e0d86a7b0430d8cdb78070b4c55a",
        ),
    ],
)
def test_aes(key: str, plain: str, cipher: str) -> None:
    assert aes.encrypt(bytes.fromhex(key), bytes.fromhex(plain)).hex() == cipher


@pytest.mark.parametrize("vector", load("milenage")["vectors"], ids=lambda item: f"set{item['set']}")
def test_milenage(vector: dict[str, Any]) -> None:
    assert milenage.opc(vector["k"], vector["op"]) == vector["opc"]
    made = milenage.vector(*(vector[name] for name in ("k", "opc", "rand", "sqn", "amf")))
    functions = [name for name in made if name.startswith("f")]
    assert {name: made[name] for name in functions} == {name: vector[name] for name in functions}


def test_gba() -> None:
    vector = load("gba")["vectors"][0]
    inputs = vector["ks"], vector["rand"], vector["impi"], vector["naf_id"]
    assert vector["naf_id"] == vector["fqdn"] + gba.UA_MBMS
    assert vector["ks"] == vector["ck"] + vector["ik"]
    assert gba.ks_ext_naf(*inputs) == vector["ks_ext_naf"]
    assert gba.ks_int_naf(*inputs) == vector["ks_int_naf"]
    assert gba.mrk(vector["ks_ext_naf"]) == vector["gba_me_mrk"]
    assert b64encode(vector["ks_ext_naf"]) == vector["digest_password"]
    assert gba.autn_star(vector["autn"], vector["ik"]) == vector["autn_star"]
    assert gba.autn_star(vector["autn_star"], vector["ik"]) == vector["autn"]
    assert gba.flip(vector["res"]) == vector["res_sent"]
    assert gba.b_tid(vector["rand"], vector["bsf_name"]) == vector["b_tid"]
    assert vector["command"] == bytes.fromhex("0088008423dd10") + vector["rand"] + b"\x10" + vector["autn_star"] + b"\0"
    assert vector["answer"] == b"\xdb\x08" + vector["res_sent"]


@pytest.mark.norm("74")
@pytest.mark.parametrize("which", ["vectors", "second"])
def test_bootstrapping_from_the_subscriber_key(which: str) -> None:
    """The same numbers from K on: MILENAGE, mask, RES, Ks, NAF key."""
    first = load("gba")["vectors"][0]
    vector = first if which == "vectors" else load("gba")["second"]
    rand, masked = vector["rand"], vector["autn_star"]
    res = milenage.out(2, K, OPC, rand)[8:]
    ck, ik = milenage.out(3, K, OPC, rand), milenage.out(4, K, OPC, rand)
    autn = gba.autn_star(masked, ik)
    sqn = milenage.xor(autn[:6], milenage.out(2, K, OPC, rand)[:6])
    assert milenage.out1(K, OPC, rand, sqn, autn[6:8])[:8] == autn[8:]
    assert gba.flip(res) == vector["res_sent"]
    assert gba.b_tid(rand, first["bsf_name"]) == vector["b_tid"]
    assert gba.ks_int_naf(ck + ik, rand, first["impi"], first["naf_id"]) == vector["ks_int_naf"]


def test_tmpi() -> None:
    first, vector = load("gba")["vectors"][0], load("gba")["tmpi"]
    key = gba.tmpi_key(first["ks"], first["rand"], first["impi"], first["bsf_name"])
    assert key == vector["kdf"]
    assert gba.tmpi(key) == vector["tmpi"]


def test_gba_with_a_sim() -> None:
    first, vector = load("gba")["vectors"][0], load("gba")["gba_2g"]
    inputs = vector["kc"], vector["sres"], first["rand"], vector["ks_input"]
    assert gba.two_g(*inputs) == (vector["res"], vector["ks"])
    assert b64encode(first["rand"] + bytes(16) + vector["ks_input"]) == vector["nonce"]


def test_push() -> None:
    vector = load("gba_push")["vectors"][0]
    inputs = vector["ks"], vector["rand"], vector["impi"]
    for name, field in (("integrity", "integrity_key"), ("confidentiality", "confidentiality_key"), ("IV", "iv")):
        assert gba.push_key(*inputs, f"GPI_{name}".encode()) == vector[field]
    names = (vector[name] for name in ("app_label", "naf_id", "key_lifetime_ntp", "p_tid"))
    built = gba.push_info(vector["ks"], vector["rand"], vector["autn_star"], vector["impi"], *names)
    assert built == vector["gpi"]
    assert built[-4:] == vector["mac"]
    assert gba.b_tid(vector["rand"], b"naf") == vector["downlink_id"]
    until = datetime.fromisoformat(vector["key_lifetime"].decode().replace("Z", "+00:00"))
    assert int((until - datetime(1900, 1, 1, tzinfo=UTC)).total_seconds()) == int.from_bytes(vector["key_lifetime_ntp"])


@pytest.mark.norm("74")
@pytest.mark.parametrize("name", MSK_MESSAGES)
def test_msk_messages(name: str) -> None:
    vector, built = load("mikey")[name], msk_message(name)
    assert built.build() == vector["message"]
    assert mikey.open_kemac(vector["psk"], vector["rand"], vector["message"]) == built.plain
    assert built.plain == vector.get("key_data", built.plain)
    assert mikey.open_kemac(bytes(32), vector["rand"], vector["message"]) is None


def test_every_step_of_the_msk_message() -> None:
    vector, built = load("mikey")["ltkm"], msk_message("ltkm")
    made, message = built.keys, vector["message"]
    assert (made.encryption, made.authentication, made.salt) == (
        vector["encryption"],
        vector["authentication"],
        vector["salt"],
    )
    assert mikey.iv(made.salt, vector["csb_id"], vector["timestamp"]) == vector["iv"]
    parts = vector["payloads"]
    assert b"".join(parts[name] for name in ("hdr", "ext", "t", "rand", "id_i", "id_r", "sp", "kemac")) == message
    assert mikey.read(message).encrypted == vector["encrypted"]
    assert message[-20:] == vector["mac"]
    assert vector["sp_params"] == mikey.SRTP_RCC_EVERY_PACKET
    assert replace(built, ext_last=True).build() == vector["other_order"]
    assert mikey.open_kemac(vector["psk"], vector["rand"], vector["other_order"]) == vector["key_data"]
    whole = b"\x53\x82\x01\x04\x01" + message
    assert vector["first_block"] == bytes.fromhex("00898085ff") + whole[:255]
    assert vector["next_block"] == bytes.fromhex("00890085") + bytes((len(whole) - 255,)) + whole[255:]


def test_the_verification_message() -> None:
    vector, built = load("mikey")["ltkm"], msk_message("ltkm")
    assert built.verification_covered() == vector["verification_covered"]
    assert built.build_verification() == vector["verification"]
    assert vector["verification"][:-20] == vector["verification_before_mac"]
    assert vector["answer"] == b"\x53\x69\xdb" + vector["verification"]


@pytest.mark.norm("74")
@pytest.mark.parametrize("name", MTK_MESSAGES)
def test_mtk_messages(name: str) -> None:
    vector, built = load("mikey")[name], mtk_message(name)
    assert built.build() == vector["message"]
    assert mikey.open_kemac(vector["psk"], vector["rand"], vector["message"]) == built.plain
    assert mikey.open_kemac(vector["psk"], bytes(16), vector["message"]) is None
    opened = mikey.split_key_data(built.plain)
    assert (opened.key, opened.salt, opened.limits) == (vector["key"], vector.get("key_salt", b""), None)
    assert vector.get("answer", b"")[3:] in (b"", opened.key + opened.salt)


def test_every_step_of_the_mtk_messages() -> None:
    vector, download = load("mikey")["stkm"], load("mikey")["download_stkm"]
    made = mikey.keys(vector["psk"], vector["csb_id"], vector["rand"])
    assert (made.encryption, made.authentication, made.salt) == (
        vector["encryption"],
        vector["authentication"],
        vector["salt"],
    )
    assert mikey.iv(made.salt, vector["csb_id"], vector["timestamp"]) == vector["iv"]
    assert mtk_message("stkm").plain == vector["key_data"]
    assert replace(mtk_message("stkm"), ext_last=True).build() == vector["t_first"]
    assert mikey.mki(vector["msk_id"], vector["mtk_id"]) == vector["mki"]
    inputs = download["key"], download["csb_id"], download["rand"]
    assert mikey.download_keys(*inputs) == (download["authentication_of_one"], download["encryption_of_one"])
    four = mikey.download_keys(*inputs, bytes(4))
    assert four == (download["authentication_of_four"], download["encryption_of_four"])
    names = download["key_domain_id"], download["msk_id"], download["mtk_id"]
    assert mikey.dcf_key_id(*names) == download["key_id"]


@pytest.mark.parametrize(("old", "new", "is_newer"), load_text("serial_numbers")["cases"])
def test_serial_numbers(old: int, new: int, is_newer: bool) -> None:
    assert mikey.newer(new, old) is is_newer
    assert mikey.newer(new, None)


@pytest.mark.parametrize("case", load_text("http_digest")["cases"], ids=lambda case: case["id"])
def test_http_digest(case: dict[str, Any]) -> None:
    bodies = load_text("http_digest")["bodies"]
    body = bodies[case["body"]]["text"].encode() if case["body"] else b""
    secret = bytes.fromhex(case["secret_hex"]) if "secret_hex" in case else case["secret"].encode()
    first = http_digest.ha1(case["username"], case["realm"], secret)
    second = http_digest.ha2(case["method"], case["uri"], case["qop"], body)
    assert (first, second) == (case.get("ha1", first), case.get("ha2", second))
    made = http_digest.response(first, case["nonce"], case["nc"], case["cnonce"], case["qop"], second)
    assert made == case["result"]


@pytest.mark.parametrize("name", load_text("http_digest")["bodies"])
def test_bodies_are_whole(name: str) -> None:
    body = load_text("http_digest")["bodies"][name]
    octets = body["text"].encode()
    assert (len(octets), hashlib.md5(octets).hexdigest()) == (body["size"], body["md5"])


def test_keys_over_zn() -> None:
    vector, zn = load("gba")["vectors"][0], load_text("zn")
    names = {"nafid": "naf_id", "meKeyMaterial": "ks_ext_naf", "uiccKeyMaterial": "ks_int_naf"}
    assert {name: b64decode(zn[name]) for name in names} == {name: vector[ours] for name, ours in names.items()}
