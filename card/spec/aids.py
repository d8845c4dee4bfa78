"""Applications of a card by the beginning of their AID: RID and application code.

The codes of 3GPP and 3GPP2 are in ETSI TS 101 220 annex E, those of OMA in its own registry (OMNA, "Smart card AID").
What a BSIM holds was not found: the profile has no such application, cards of others may.
"""

from __future__ import annotations

from collections.abc import Mapping

from card.lean import lean_dataclass
from card.spec.refs import Confidence, Ref

_ETSI = Ref("TS 101 220", "annex E", Confidence.SOURCED)
_OMNA = Ref("OMNA", "Smart card AID", Confidence.SOURCED)

USIM_AID = bytes.fromhex("A0000000871002")
ISIM_AID = bytes.fromhex("A0000000871004")
CSIM_AID = bytes.fromhex("A0000003431002")
OMA_RID = bytes.fromhex("A000000412")
BSIM_AID = OMA_RID + bytes.fromhex("0001")


@lean_dataclass(frozen=True, slots=True)
class AidRow:
    """How an AID begins, what the application is called, and its directory in the catalogue of files, if it has one."""

    prefix: bytes
    name: str
    ref: Ref
    directory: str = ""


AID_ROWS: tuple[AidRow, ...] = (
    AidRow(USIM_AID, "USIM", _ETSI, "ADF.USIM"),
    AidRow(ISIM_AID, "ISIM", _ETSI, "ADF.ISIM"),
    AidRow(CSIM_AID, "CSIM", _ETSI, "ADF.CSIM"),
    AidRow(BSIM_AID, "OMA BCAST BSIM", _OMNA),
    AidRow(OMA_RID, "application of OMA", _OMNA),
)
"""The longest beginning first, where one is the beginning of another."""


APPLICATIONS: Mapping[bytes, str] = {row.prefix: row.directory for row in AID_ROWS if row.directory}
"""RID and application code (7 bytes) to the directory's name, of applications whose files are known."""

AID_PREFIX_SIZE = 7


def aid_prefix(directory: str) -> bytes:
    """Return how the AIDs begin (7 bytes) whose ADF the catalogue calls so. Raises `KeyError`."""
    return {name: prefix for prefix, name in APPLICATIONS.items()}[directory]


def application_name(aid: bytes) -> str:
    """Return what the application of an AID is called, "" for one that is not known."""
    return next((row.name for row in AID_ROWS if aid.startswith(row.prefix)), "")
