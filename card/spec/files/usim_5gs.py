"""Files of the 5G system, DF_5GS (TS 31.102 clause 4.4.11)."""

from __future__ import annotations

from card.spec.files.rows import PIN_ADM, PIN_PIN, DfRow, EfRow, Structure
from card.spec.refs import Confidence, Ref

_TRANSPARENT = Structure.TRANSPARENT
_LINEAR = Structure.LINEAR_FIXED

_NO_LOCATION = b"\xff" * 13 + bytes.fromhex("FFFFFF000000 01")


def _ref(clause: str) -> Ref:
    return Ref("TS 31.102", clause, Confidence.SOURCED)


FIVE_G_FILES: tuple[EfRow, ...] = (
    EfRow(
        "EF_5GS3GPPLOCI", 0x4F01, _TRANSPARENT, 20, _ref("4.4.11.2"), PIN_PIN, sfi=0x01, service=122,
        default=_NO_LOCATION,
    ),
    EfRow(
        "EF_5GSN3GPPLOCI", 0x4F02, _TRANSPARENT, 20, _ref("4.4.11.3"), PIN_PIN, sfi=0x02, service=122,
        default=_NO_LOCATION,
    ),
    EfRow(
        "EF_5GS3GPPNSC", 0x4F03, _LINEAR, 64, _ref("4.4.11.4"), PIN_PIN, sfi=0x03, records=1, service=122,
        secret=True,
    ),
    EfRow(
        "EF_5GSN3GPPNSC", 0x4F04, _LINEAR, 64, _ref("4.4.11.5"), PIN_PIN, sfi=0x04, records=1, service=122,
        secret=True,
    ),
    EfRow("EF_5GAUTHKEYS", 0x4F05, _TRANSPARENT, 110, _ref("4.4.11.6"), PIN_PIN, sfi=0x05, service=123, secret=True),
    EfRow("EF_UAC_AIC", 0x4F06, _TRANSPARENT, 4, _ref("4.4.11.7"), PIN_ADM, sfi=0x06, service=126, default=bytes(4)),
)  # fmt: skip

DF_5GS = DfRow("DF_5GS", 0x5FC0, _ref("4.4.11"), FIVE_G_FILES)
