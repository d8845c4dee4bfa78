"""The applications of a UICC by their AIDs."""

from __future__ import annotations

from collections.abc import Mapping

APPLICATIONS: Mapping[bytes, str] = {
    bytes.fromhex("A0000000871002"): "ADF.USIM",
    bytes.fromhex("A0000000871004"): "ADF.ISIM",
    bytes.fromhex("A0000003431002"): "ADF.CSIM",
}
"""RID and application code (7 bytes) to the directory's name (TS 101 220 annex E; C.S0065-B for the CSIM)."""

AID_PREFIX_SIZE = 7


def aid_prefix(directory: str) -> bytes:
    """Return how the AIDs begin (7 bytes) whose ADF the catalogue calls so. Raises `KeyError`."""
    return {name: prefix for prefix, name in APPLICATIONS.items()}[directory]
