from __future__ import annotations

import hashlib
from typing import Any

import pytest

from card.crypto.aka_algorithm import AkaAlgorithm
from card.crypto.keccak import keccak_f1600
from card.crypto.secret import Secret
from card.crypto.tuak import Tuak, TuakSizes, derive_topc
from tests.vectors.loader import load

VECTORS = load("tuak")


def sha3_256(message: bytes) -> bytes:
    """FIPS 202 clause 6.1 for a message shorter than one block."""
    block = (message + b"\x06").ljust(135, b"\0") + b"\x80"
    return keccak_f1600(block.ljust(200, b"\0"))[:32]


@pytest.mark.parametrize("message", [b"", b"abc", bytes(range(134))])
def test_keccak_makes_the_sha3_of_hashlib(message: bytes) -> None:
    assert sha3_256(message) == hashlib.sha3_256(message).digest()


def test_keccak_refuses_another_size() -> None:
    with pytest.raises(ValueError, match="200"):
        keccak_f1600(bytes(199))


@pytest.mark.parametrize("vector", VECTORS["mac_vectors"], ids=lambda item: str(item["set"]))
def test_published_mac_sets(vector: dict[str, Any]) -> None:
    k, topc = Secret(vector["k"]), Secret(vector["topc"])
    assert derive_topc(k, Secret(vector["top"]), vector["iterations"]) == topc
    algorithm: AkaAlgorithm = Tuak(k, topc, TuakSizes(mac=len(vector["f1"]), iterations=vector["iterations"]))
    assert algorithm.f1(vector["rand"], vector["sqn"], vector["amf"]) == vector["f1"]
    assert algorithm.f1_star(vector["rand"], vector["sqn"], vector["amf"]) == vector["f1_star"]


@pytest.mark.parametrize("vector", VECTORS["output_vectors"], ids=lambda item: str(item["set"]))
def test_published_output_sets(vector: dict[str, Any]) -> None:
    sizes = TuakSizes(
        res=len(vector["f2"]), ck=len(vector["f3"]), ik=len(vector["f4"]), iterations=vector["iterations"]
    )
    algorithm = Tuak(Secret(vector["k"]), Secret(vector["topc"]), sizes)
    outputs = algorithm.f2345(vector["rand"])
    assert (outputs.res, outputs.ck, outputs.ik) == (vector["f2"], vector["f3"], vector["f4"])
    assert outputs.ak == vector["f5"]
    assert algorithm.f5_star(vector["rand"]) == vector["f5_star"]


@pytest.mark.parametrize("wrong", [{"mac": 4}, {"res": 12}, {"ck": 24}, {"ik": 8}, {"iterations": 0}])
def test_sizes_tuak_does_not_have_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="TUAK"):
        TuakSizes(**wrong)


@pytest.mark.parametrize(("k", "topc"), [(24, 32), (16, 16)])
def test_keys_of_a_wrong_size_are_refused(k: int, topc: int) -> None:
    with pytest.raises(ValueError, match="16 or 32"):
        Tuak(Secret(bytes(k)), Secret(bytes(topc)))
    with pytest.raises(ValueError, match="16 or 32"):
        derive_topc(Secret(bytes(k)), Secret(bytes(topc)))
