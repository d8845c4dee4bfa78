"""Local keys by vectors: the oracle computes them, the card answers them, the terminal sends them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from card.codec.bcd import decode_digits
from card.crypto.local_key import LocalKeyInputs
from card.crypto.secret import Secret
from host_tools.apdu.client import ApduClient
from host_tools.terminal.sac.local_key import establish_local_key, is_local_key_available
from tests.oracle.sac import LocalKey
from tests.support.sac import Wire, sac_profile
from tests.support.testcard import TestCard, lv
from tests.vectors.loader import load

CONTENT = load("local_key")
NAMES = ("naf_id", "terminal_id", "iccid", "terminal_appli_id", "uicc_appli_id", "randx")
ANY_JUMP = (1 << 48) - 1

pytestmark = [
    pytest.mark.norm("42", "43", "44", "45", "46"),
    pytest.mark.parametrize("vector", CONTENT["vectors"], ids=[vector["set"] for vector in CONTENT["vectors"]]),
]


def names_of(vector: dict[str, Any]) -> dict[str, Any]:
    return {"b_tid": CONTENT["b_tid"], **{name: vector[name] for name in NAMES}}


def limit_of(vector: dict[str, Any]) -> int:
    return int.from_bytes(vector["counter_limit"], "big")


def card_with_naf_key(vector: dict[str, Any]) -> TestCard:
    """Return the card of a vector, to which bootstrapping and NAF derivation were sent as plain bytes."""
    base = sac_profile()
    usim = replace(base.usim, sqn=replace(base.usim.sqn, delta=ANY_JUMP))
    card = TestCard.new(replace(base, iccid=decode_digits(vector["iccid"]), usim=usim)).ready()
    assert card.ok("0088008423DD", lv(CONTENT["rand"], CONTENT["autn_star"]))[0] == 0xDB
    tail = lv(CONTENT["b_tid"], b"")
    card.ok("00A4000C026FD6")
    card.ok("00D60011", bytes((len(tail),)), tail)
    derivation = b"\xde" + lv(vector["naf_id"], CONTENT["impi"])
    card.ok("00880084", bytes((len(derivation),)), derivation)
    return card


def test_oracle(vector: dict[str, Any]) -> None:
    key = LocalKey(ks_int_naf=vector["ks_int_naf"], limit=limit_of(vector), **names_of(vector))
    assert (key.key, key.request_mac, key.response_mac) == (
        vector["ks_local"], vector["request_mac"], vector["response_mac"],
    )  # fmt: skip


def test_card(vector: dict[str, Any]) -> None:
    card = card_with_naf_key(vector)
    for request in ("derivation", "availability"):
        data = vector[request]
        assert card.send("00898086", bytes((len(data),)), data).sw == "62F3"
        assert card.ok("0089A08600") == vector[f"{request}_answer"]


def test_terminal(vector: dict[str, Any]) -> None:
    inputs = LocalKeyInputs(counter_limit=limit_of(vector), **names_of(vector))
    wire = Wire(card_with_naf_key(vector))
    establish_local_key(ApduClient(wire), Secret(vector["ks_local"]), inputs)
    assert is_local_key_available(ApduClient(wire), inputs)
    sent = [apdu[5 : 5 + apdu[4]] for apdu, _ in wire.log if apdu[:4] == bytes.fromhex("00898086")]
    assert sent == [vector["derivation"], vector["availability"]]
