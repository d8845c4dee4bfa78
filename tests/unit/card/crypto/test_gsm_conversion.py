from __future__ import annotations

import pytest

from card.crypto.gsm_conversion import derive_kc, derive_sres


@pytest.mark.parametrize(
    ("res", "sres"),
    [
        ("01020304", "01020304"),
        ("0102030410203040", "11223344"),
        ("010203041020304000000001", "11223345"),
        ("01020304102030400000000180", "91223345"),
        ("01020304102030400000000180000000", "91223345"),
    ],
)
def test_sres_folds_res_padded_with_zeros(res: str, sres: str) -> None:
    assert derive_sres(bytes.fromhex(res)).hex() == sres


@pytest.mark.parametrize("size", [0, 3, 17])
def test_res_of_a_wrong_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="RES"):
        derive_sres(bytes(size))


def test_kc_folds_ck_and_ik() -> None:
    ck, ik = b"\x01" * 8 + b"\x02" * 8, b"\x10" * 8 + b"\x20" * 8
    assert derive_kc(ck, ik) == b"\x33" * 8


@pytest.mark.parametrize(("ck", "ik"), [(15, 16), (16, 32)])
def test_ck_and_ik_of_a_wrong_size_are_refused(ck: int, ik: int) -> None:
    with pytest.raises(ValueError, match="CK and IK"):
        derive_kc(bytes(ck), bytes(ik))
