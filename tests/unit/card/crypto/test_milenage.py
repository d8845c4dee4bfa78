from __future__ import annotations

from typing import Any

import pytest

from card.crypto.aka_algorithm import AkaAlgorithm
from card.crypto.gsm_conversion import derive_kc, derive_sres
from card.crypto.milenage import Milenage, MilenageConstants, derive_opc
from card.crypto.primitives import xor_bytes
from card.crypto.secret import Secret
from tests.vectors.loader import load

SETS = load("milenage")["vectors"]
COMPUTED = {item["set"]: item for item in load("aka")["vectors"]}
PYSIM = load("aka_pysim")["vectors"][0]


def milenage(vector: dict[str, Any]) -> AkaAlgorithm:
    return Milenage(Secret(vector["k"]), Secret(vector["opc"]))


@pytest.mark.parametrize("vector", SETS, ids=lambda item: f"set{item['set']}")
def test_published_sets(vector: dict[str, Any]) -> None:
    assert derive_opc(Secret(vector["k"]), Secret(vector["op"])) == Secret(vector["opc"])
    algorithm = milenage(vector)
    rand, sqn, amf = vector["rand"], vector["sqn"], vector["amf"]
    assert algorithm.f1(rand, sqn, amf) == vector["f1"]
    assert algorithm.f1_star(rand, sqn, amf) == vector["f1_star"]
    outputs = algorithm.f2345(rand)
    assert (outputs.res, outputs.ck, outputs.ik) == (vector["f2"], vector["f3"], vector["f4"])
    assert outputs.ak == vector["f5"]
    assert algorithm.f5_star(rand) == vector["f5_star"]


@pytest.mark.parametrize(
    "vector", [item for item in SETS if item["set"] in COMPUTED], ids=lambda item: f"set{item['set']}"
)
def test_autn_auts_and_gsm_values(vector: dict[str, Any]) -> None:
    algorithm, wanted = milenage(vector), COMPUTED[vector["set"]]
    rand, sqn = vector["rand"], vector["sqn"]
    outputs = algorithm.f2345(rand)
    autn = xor_bytes(sqn, outputs.ak) + vector["amf"] + algorithm.f1(rand, sqn, vector["amf"])
    auts = xor_bytes(sqn, algorithm.f5_star(rand)) + algorithm.f1_star(rand, sqn, bytes(2))
    assert (autn, auts) == (wanted["autn"], wanted["auts"])
    assert derive_sres(outputs.res) == wanted["sres"]
    assert derive_kc(outputs.ck, outputs.ik) == wanted["kc"]


def test_authenticate_of_pysim() -> None:
    assert derive_opc(Secret(PYSIM["k"]), Secret(PYSIM["op"])) == Secret(PYSIM["opc"])
    algorithm = milenage(PYSIM)
    outputs = algorithm.f2345(PYSIM["rand"])
    mac = algorithm.f1(PYSIM["rand"], PYSIM["sqn"], PYSIM["amf"])
    assert xor_bytes(PYSIM["sqn"], outputs.ak) + PYSIM["amf"] + mac == PYSIM["autn"]
    assert (outputs.res, outputs.ck, outputs.ik) == (PYSIM["res"], PYSIM["ck"], PYSIM["ik"])
    assert derive_kc(outputs.ck, outputs.ik) == PYSIM["kc"]


def test_operator_constants_change_the_function_they_belong_to() -> None:
    vector = SETS[0]
    own = MilenageConstants(c=(0, 1, 2, 4, 9), r=(64, 0, 32, 64, 97))
    algorithm = Milenage(Secret(vector["k"]), Secret(vector["opc"]), own)
    assert algorithm.f5_star(vector["rand"]) != vector["f5_star"]
    assert algorithm.f2345(vector["rand"]).ck == vector["f3"]


@pytest.mark.parametrize(
    "wrong",
    [{"c": (0, 1, 2, 4)}, {"c": (0, 1, 2, 4, 1 << 128)}, {"r": (64, 0, 32, 64, 128)}, {"r": (-1,) * 5}],
)
def test_constants_out_of_range_are_refused(wrong: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match="five"):
        MilenageConstants(**wrong)


@pytest.mark.parametrize(("k", "opc"), [(15, 16), (32, 16), (16, 0)])
def test_keys_of_a_wrong_size_are_refused(k: int, opc: int) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        Milenage(Secret(bytes(k)), Secret(bytes(opc)))


@pytest.mark.parametrize(("rand", "sqn", "amf"), [(15, 6, 2), (16, 5, 2), (16, 6, 3)])
def test_inputs_of_a_wrong_size_are_refused(rand: int, sqn: int, amf: int) -> None:
    with pytest.raises(ValueError, match="16, 6 and 2"):
        milenage(SETS[0]).f1(bytes(rand), bytes(sqn), bytes(amf))


def test_nothing_secret_in_the_repr() -> None:
    outputs = milenage(SETS[0]).f2345(SETS[0]["rand"])
    assert repr(outputs) == "AkaOutputs()"
