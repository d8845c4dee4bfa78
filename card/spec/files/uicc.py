"""Files at the level of the UICC, under the MF (TS 102 221 clause 13)."""

from __future__ import annotations

from card.spec.files.rows import ALWAYS_ADM, ALWAYS_NEVER, ALWAYS_PIN, EfRow, Structure
from card.spec.refs import Confidence, Ref


def _ref(clause: str) -> Ref:
    return Ref("TS 102 221", clause, Confidence.SOURCED)


# 60 mA at most, an operator time-out of 5, no additional information.
_POWER = bytes.fromhex("3C05000000")

UICC_FILES: tuple[EfRow, ...] = (
    EfRow(
        "EF_DIR", 0x2F00, Structure.LINEAR_FIXED, 48, _ref("13.1"), ALWAYS_ADM, sfi=0x1E, records=4,
        codec="application",
        examples=(
            ("610D4F07A000000087100250025553", (bytes.fromhex("A0000000871002"), "US")),
            ("61094F07A00000008710FFFFFFFF", (bytes.fromhex("A00000008710FF"), "")),
            (
                "61264F07A000000343100250044353494D51043F007FF05F500E687474703A2F2F612E746573742F",
                (bytes.fromhex("A0000003431002"), "CSIM; path 3F007FF0; URL http://a.test/"),
            ),
            (
                "61134F07A00000034310025002C3A973045302ABCD",
                (bytes.fromhex("A0000003431002"), "; tag 50 C3A9; template 5302ABCD"),
            ),
        ),
    ),
    EfRow(
        "EF_ICCID", 0x2FE2, Structure.TRANSPARENT, 10, _ref("13.2"), ALWAYS_NEVER, sfi=0x02, codec="iccid",
        examples=(("981010000000000010F9", "8901010000000000019"),),
    ),
    EfRow("EF_PL", 0x2F05, Structure.TRANSPARENT, 10, _ref("13.3"), ALWAYS_PIN, sfi=0x05, codec="languages"),
    EfRow("EF_ARR", 0x2F06, Structure.LINEAR_FIXED, 64, _ref("13.4"), ALWAYS_ADM, sfi=0x06, records=1),
    EfRow("EF_UMPC", 0x2F08, Structure.TRANSPARENT, 5, _ref("13.7"), ALWAYS_ADM, sfi=0x08, default=_POWER),
)  # fmt: skip
