"""MILENAGE and GBA against the oracle, on random inputs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from card.crypto import gba
from card.crypto.aka_algorithm import AkaAlgorithm
from card.crypto.gsm_conversion import derive_kc, derive_sres
from card.crypto.milenage import Milenage, derive_opc
from card.crypto.secret import Secret
from tests.oracle import gba as gba_oracle
from tests.oracle import milenage as milenage_oracle

BLOCK = st.binary(min_size=16, max_size=16)
SQN = st.binary(min_size=6, max_size=6)
AMF = st.binary(min_size=2, max_size=2)
TEXT = st.binary(max_size=100)


@given(BLOCK, BLOCK, BLOCK, SQN, AMF)
def test_milenage(k: bytes, op: bytes, rand: bytes, sqn: bytes, amf: bytes) -> None:
    opc = derive_opc(Secret(k), Secret(op))
    assert opc.reveal() == milenage_oracle.opc(k, op)
    algorithm: AkaAlgorithm = Milenage(Secret(k), opc)
    outputs = algorithm.f2345(rand)
    wanted = milenage_oracle.vector(k, opc.reveal(), rand, sqn, amf)
    assert algorithm.f1(rand, sqn, amf) == wanted["f1"]
    assert algorithm.f1_star(rand, sqn, amf) == wanted["f1_star"]
    assert (outputs.res, outputs.ck, outputs.ik) == (wanted["f2"], wanted["f3"], wanted["f4"])
    assert (outputs.ak, algorithm.f5_star(rand)) == (wanted["f5"], wanted["f5_star"])
    assert derive_sres(outputs.res) == wanted["sres"]
    assert derive_kc(outputs.ck, outputs.ik) == wanted["kc"]


@given(BLOCK, BLOCK, BLOCK, TEXT, TEXT)
def test_naf_keys(ck: bytes, ik: bytes, rand: bytes, impi: bytes, naf_id: bytes) -> None:
    ks = gba.derive_ks(ck, ik)
    inputs = rand, impi, naf_id
    assert gba.derive_ks_ext_naf(ks, *inputs).reveal() == gba_oracle.ks_ext_naf(ck + ik, *inputs)
    assert gba.derive_ks_int_naf(ks, *inputs).reveal() == gba_oracle.ks_int_naf(ck + ik, *inputs)


@given(BLOCK, BLOCK, TEXT)
def test_autn_star_and_b_tid(autn: bytes, ik: bytes, bsf_name: bytes) -> None:
    masked = gba.mask_autn(autn, ik)
    assert masked == gba_oracle.autn_star(autn, ik)
    assert gba.mask_autn(masked, ik) == autn
    assert gba.b_tid(autn, bsf_name) == gba_oracle.b_tid(autn, bsf_name)
