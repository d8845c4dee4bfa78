from __future__ import annotations

from card.crypto import gba
from card.crypto.secret import Secret
from tests.vectors.loader import load

VECTOR = load("gba")["vectors"][0]


def test_chain_from_ck_and_ik_to_the_naf_keys() -> None:
    ks = gba.derive_ks(VECTOR["ck"], VECTOR["ik"])
    assert ks == Secret(VECTOR["ks"])
    inputs = VECTOR["rand"], VECTOR["impi"], VECTOR["naf_id"]
    assert gba.derive_ks_int_naf(ks, *inputs) == Secret(VECTOR["ks_int_naf"])
    ks_ext_naf = gba.derive_ks_ext_naf(ks, *inputs)
    assert ks_ext_naf == Secret(VECTOR["ks_ext_naf"])
    assert gba.derive_ks_naf_mrk(ks_ext_naf) == Secret(VECTOR["gba_me_mrk"])


def test_autn_star_and_back() -> None:
    assert gba.autn_star_mask(VECTOR["ik"]) == VECTOR["mask"]
    assert gba.mask_autn(VECTOR["autn"], VECTOR["ik"]) == VECTOR["autn_star"]
    assert gba.mask_autn(VECTOR["autn_star"], VECTOR["ik"]) == VECTOR["autn"]


def test_b_tid_names_rand_and_bsf() -> None:
    assert gba.b_tid(VECTOR["rand"], VECTOR["bsf_name"]) == VECTOR["b_tid"]


def test_parameters_cannot_slide_into_one_another() -> None:
    """The length behind each parameter keeps ("ab", "c") and ("a", "bc") apart."""
    key = Secret(bytes(32))
    assert gba.derive(key, 1, b"ab", b"c") != gba.derive(key, 1, b"a", b"bc")


def test_the_last_bit_of_res_is_flipped_whatever_its_length() -> None:
    assert gba.flip_res(VECTOR["res"]) == VECTOR["res_sent"]
    assert gba.flip_res(gba.flip_res(VECTOR["res"])) == VECTOR["res"]
    assert gba.flip_res(bytes(4)) == b"\0\0\0\1"
