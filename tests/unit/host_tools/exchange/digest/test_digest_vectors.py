"""The hashes against the vectors of the texts, which other code computed."""

from __future__ import annotations

from typing import Any

import pytest

from card.crypto.secret import Secret
from host_tools.exchange.digest.compute import Algorithm, Asked, Proof, Qop, digest, is_digest
from host_tools.exchange.digest.headers import Credentials
from host_tools.exchange.digest.server import Mistake, find_mistake
from tests.vectors.loader import load_text

VECTORS = load_text("http_digest")
CASES = {case["id"]: case for case in VECTORS["cases"]}


def password(case: dict[str, Any]) -> Secret:
    return Secret(bytes.fromhex(case["secret_hex"]) if "secret_hex" in case else case["secret"].encode())


def proof(case: dict[str, Any], algorithm: Algorithm = Algorithm.MD5) -> Proof:
    names = case["username"], case["realm"], case["nonce"]
    return Proof(algorithm, *names, Qop(case["qop"]), int(case["nc"], 16), case["cnonce"])


def asked(case: dict[str, Any]) -> Asked:
    body = "" if case["body"] is None else VECTORS["bodies"][case["body"]]["text"]
    return Asked(case["method"], case["uri"], body.encode())


@pytest.mark.norm("65")
@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["id"])
def test_every_vector(case: dict[str, Any]) -> None:
    assert digest(proof(case), password(case), asked(case)) == case["result"]
    assert is_digest(case["result"].upper(), proof(case), password(case), asked(case))
    other = replace_last(case["result"])
    assert not is_digest(other, proof(case), password(case), asked(case))


@pytest.mark.parametrize("name", ["U1", "U3"])
def test_aka_hashes_with_md5(name: str) -> None:
    """RFC 3310 clause 3.3; with AUTS the password is empty (clause 3.4)."""
    case = CASES[name]
    assert digest(proof(case, Algorithm.AKA_V1_MD5), password(case), asked(case)) == case["result"]


def test_sha_256() -> None:
    """RFC 7616 clause 3.9.1."""
    nonce, cnonce = (
        "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )
    bound = Proof(Algorithm.SHA_256, "Mufasa", "http-auth@example.org", nonce, Qop.AUTH, 1, cnonce)
    made = digest(bound, Secret(b"Circle of Life"), Asked("GET", "/dir/index.html"))
    assert made == "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"


def test_the_session_form_binds_the_password_to_the_first_nonce() -> None:
    """RFC 2617 clause 3.2.2.2: what stands for the password is hashed once more, with nonce and cnonce."""
    case = CASES["D1"]
    made = digest(proof(case, Algorithm.MD5_SESS), password(case), asked(case))
    # With these three for user, realm and password the plain form hashes the same text HA1:nonce:cnonce.
    outer = Proof(Algorithm.MD5, case["ha1"], case["nonce"], case["nonce"], Qop.AUTH, 1, case["cnonce"])
    assert made == digest(outer, Secret(case["cnonce"].encode()), asked(case))


def test_without_qop_as_in_rfc_2069() -> None:
    """The example of RFC 2069 clause 2.4, with the response of its erratum."""
    bound = Proof(Algorithm.MD5, "Mufasa", "testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093", None)
    made = digest(bound, Secret(b"CircleOfLife"), Asked("GET", "/dir/index.html"))
    assert made == "1949323746fe6a43ef61f9606e7febea"


@pytest.mark.parametrize(
    ("name", "mistake"),
    [
        ("A8 wrong: raw key", Mistake.RAW_KEY),
        ("A8 wrong: hex text", Mistake.HEX_KEY),
        ("A8 wrong: qop auth", Mistake.QOP_AUTH),
        ("A8 wrong: empty body", Mistake.EMPTY_BODY),
        ("A5", None),
    ],
)
def test_known_mistakes_are_named(name: str, mistake: Mistake | None) -> None:
    right, wrong = CASES["A1"], CASES[name]
    key = Secret(bytes.fromhex(CASES["A8 wrong: raw key"]["secret_hex"]))
    names = right["username"], right["realm"], right["nonce"], right["uri"]
    sent = Credentials(*names, wrong["result"], cnonce=right["cnonce"])
    assert find_mistake(sent, password(right), key, asked(right)) is mistake


def replace_last(text: str) -> str:
    return text[:-1] + ("0" if text[-1] != "0" else "1")
