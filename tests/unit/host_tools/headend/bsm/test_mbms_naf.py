"""Which NAF key is MUK and which MRK (TS 33.246 clause 6.1 and annex F)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from card.crypto.secret import Secret
from host_tools.exchange.messages.zn import KeyChoice
from host_tools.headend.bsf.answers import NafKeys
from host_tools.headend.bsm.mbms_naf import mbms_keys
from tests.vectors.loader import load

VECTOR = load("gba")["vectors"][0]
INT, EXT, DERIVED = (Secret(VECTOR[name]) for name in ("ks_int_naf", "ks_ext_naf", "gba_me_mrk"))
START, END = datetime(2029, 12, 31, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.norm("2")
@pytest.mark.parametrize(
    ("uicc_key", "choice", "muk", "mrk"),
    [
        (INT, KeyChoice.UICC_BASED, INT, EXT),
        (INT, KeyChoice.BOTH, INT, EXT),
        (INT, KeyChoice.ME_BASED, EXT, DERIVED),  # a GBA_U card without MBMS
        (None, KeyChoice.ME_BASED, EXT, DERIVED),  # GBA_ME: Ks_NAF is made like Ks_ext_NAF
        (None, KeyChoice.UICC_BASED, EXT, DERIVED),  # a BSF that gave no Ks_int_NAF
    ],
)
def test_muk_and_mrk(uicc_key: Secret | None, choice: KeyChoice, muk: Secret, mrk: Secret) -> None:
    keys = mbms_keys(NafKeys("impi", EXT, uicc_key, END, choice, START))
    assert (keys.muk, keys.mrk, keys.impi, keys.expires) == (muk, mrk, "impi", END)
