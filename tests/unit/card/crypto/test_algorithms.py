"""TUAK and XOR through the card."""

from __future__ import annotations

from dataclasses import replace

import pytest

from card.crypto.aka_choice import make_algorithm
from card.crypto.secret import Secret
from card.errors import ProfileError
from card.profile.usim import Algorithm
from tests.support.profiles import card_profile
from tests.support.testcard import TestCard, lv

RAND = bytes(range(16))
SQN = (32).to_bytes(6, "big")
AMF = b"\x80\x00"


def card_with(algorithm: Algorithm, k: bytes, topc: bytes | None = None, top: bytes | None = None) -> TestCard:
    base = card_profile()
    usim = replace(
        base.usim, algorithm=algorithm, k=Secret(k), opc=None, op=None,
        topc=Secret(topc) if topc else None, top=Secret(top) if top else None,
    )  # fmt: skip
    return TestCard.new(replace(base, usim=usim)).ready()


@pytest.mark.parametrize(("name", "k_size"), [("tuak", 16), ("tuak", 32), ("xor", 16)])
def test_authentication(name: str, k_size: int) -> None:
    """The algorithms themselves are proved by published vectors; here the card must use them whole."""
    k, constant = bytes(range(k_size)), b"\x55" * 32 if name == "tuak" else b""
    card = card_with(Algorithm(name), k, constant or None)
    algorithm = make_algorithm(name, Secret(k), Secret(constant))
    out = algorithm.f2345(RAND)
    concealed = bytes(a ^ b for a, b in zip(SQN, out.ak, strict=True))
    autn = concealed + AMF + algorithm.f1(RAND, SQN, AMF)
    answer = card.ok("0088008122", lv(RAND, autn))
    assert answer.startswith(b"\xdb" + lv(out.res, out.ck, out.ik))
    assert card.ok("0088008122", lv(RAND, autn))[0] == 0xDC
    card.refused("9862", "0088008122", lv(RAND, autn[:-1] + bytes((autn[-1] ^ 1,))))


def test_xor_by_hand() -> None:
    """K and RAND chosen so that the outputs can be read off: XDOUT is 00 to 0F."""
    card = card_with(Algorithm.XOR, bytes(16))
    sqn_ak = bytes(a ^ b for a, b in zip(SQN, RAND[3:9], strict=True))
    mac = bytes(a ^ b for a, b in zip(RAND[:8], SQN + AMF, strict=True))
    answer = card.ok("0088008122", lv(RAND, sqn_ak + AMF + mac))
    ck, ik = bytes((*range(1, 16), 0)), bytes((*range(2, 16), 0, 1))
    assert answer.startswith(b"\xdb" + lv(RAND, ck, ik))


def test_topc_from_top() -> None:
    k, top = bytes.fromhex("ab" * 16), b"\x55" * 32
    topc = bytes.fromhex("bd04d9530e87513c5d837ac2ad954623a8e2330c115305a73eb45d1f40cccbff")
    first, second = card_with(Algorithm.TUAK, k, topc), card_with(Algorithm.TUAK, k, top=top)
    challenge = lv(RAND)
    assert first.ok("0088008011", challenge) == second.ok("0088008011", challenge)


def test_constants_that_do_not_belong() -> None:
    with pytest.raises(ProfileError, match="neither top nor topc"):
        card_with(Algorithm.TUAK, bytes(16))
