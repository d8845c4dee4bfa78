"""The key messages of the vector file mikey as the oracle describes them."""

from __future__ import annotations

from typing import Any

from tests.oracle.mikey import Ltkm, Stkm
from tests.vectors.loader import load

MSK_MESSAGES = (
    "ltkm",
    "download_ltkm",
    "pull",
    "validity_only",
    "invalidation",
    "under_last_used_muk",
    "under_second_muk",
)
MTK_MESSAGES = ("stkm", "stkm_own_csb", "download_stkm")


def msk_message(name: str) -> Ltkm:
    """Return an MSK message of the vectors, to be built."""
    vector = load("mikey")[name]
    return Ltkm(
        **chosen(vector, "psk csb_id rand timestamp id_i id_r key_domain_id msk_id verify"),
        msk=vector.get("key", b""),
        lower=vector.get("lower", 0).to_bytes(2, "big"),
        upper=vector.get("upper", 0).to_bytes(2, "big"),
        pull=name == "pull",
        ssrc=vector.get("ssrc"),
        sp=vector.get("sp_params"),
    )


def mtk_message(name: str) -> Stkm:
    """Return an MTK message of the vectors, to be built."""
    vector = load("mikey")[name]
    names = "psk csb_id rand timestamp key_domain_id msk_id mtk_id"
    return Stkm(**chosen(vector, names), tek=vector["key"], salt=vector.get("key_salt"))


def chosen(vector: dict[str, Any], names: str) -> dict[str, Any]:
    return {name: vector[name] for name in names.split()}
