"""Files of the USIM application, under ADF_USIM (TS 31.102 clause 4.2)."""

from __future__ import annotations

from card.spec.files.rows import ALWAYS_ADM, ALWAYS_PIN, PIN_ADM, PIN_PIN, EfRow, Structure
from card.spec.refs import Confidence, Ref

_TRANSPARENT = Structure.TRANSPARENT
_LINEAR = Structure.LINEAR_FIXED


def _ref(clause: str) -> Ref:
    return Ref("TS 31.102", clause, Confidence.RECALLED)


def _sourced(clause: str) -> Ref:
    return Ref("TS 31.102", clause, Confidence.SOURCED)


# KSI 07: no key available.
_NO_KEYS = b"\x07" + b"\xff" * 32
_NO_LOCATION = bytes.fromhex("FFFFFFFF FFFFFF0000 FF 01")
_NO_PS_LOCATION = bytes.fromhex("FFFFFFFF FFFFFF FFFFFF0000 FF 01")
_NO_START = bytes.fromhex("F00000F00000")

USIM_FILES: tuple[EfRow, ...] = (
    EfRow(
        "EF_LI", 0x6F05, _TRANSPARENT, 6, _ref("4.2.1"), ALWAYS_PIN, sfi=0x02, codec="languages",
        examples=(("656E6465FFFF", ["en", "de"]),),
    ),
    EfRow("EF_ARR", 0x6F06, _LINEAR, 64, _ref("4.2.55"), ALWAYS_ADM, sfi=0x17, records=1),
    EfRow(
        "EF_IMSI", 0x6F07, _TRANSPARENT, 9, _ref("4.2.2"), PIN_ADM, sfi=0x07, codec="imsi",
        examples=(("080910101032547698", "001010123456789"), ("0801101010325476F8", "00101012345678")),
    ),
    EfRow("EF_Keys", 0x6F08, _TRANSPARENT, 33, _sourced("4.2.3"), PIN_PIN, sfi=0x08, default=_NO_KEYS, secret=True),
    EfRow("EF_KeysPS", 0x6F09, _TRANSPARENT, 33, _sourced("4.2.4"), PIN_PIN, sfi=0x09, default=_NO_KEYS, secret=True),
    EfRow(
        "EF_PLMNwAcT", 0x6F60, _TRANSPARENT, 40, _ref("4.2.5"), PIN_PIN, sfi=0x0A, service=20,
        codec="plmns with access technology", examples=(("00F1108000FFFFFFFFFF", ["001-01:UTRAN"]),),
    ),
    EfRow("EF_HPPLMN", 0x6F31, _TRANSPARENT, 1, _ref("4.2.6"), PIN_ADM, sfi=0x12, default=b"\x05"),
    EfRow(
        "EF_UST", 0x6F38, _TRANSPARENT, 17, _sourced("4.2.8"), PIN_ADM, sfi=0x04, codec="services",
        examples=(("0100000001", [1, 33]), ("000000000000000018", [68, 69])),
    ),
    EfRow(
        "EF_SPN", 0x6F46, _TRANSPARENT, 17, _ref("4.2.12"), ALWAYS_ADM, service=19, codec="spn",
        examples=(("0042434153542054455354FFFFFFFFFFFF", "BCAST TEST"),),
    ),
    EfRow(
        "EF_ACC", 0x6F78, _TRANSPARENT, 2, _ref("4.2.15"), PIN_ADM, sfi=0x06, codec="access classes",
        examples=(("0200", [9]), ("8001", [0, 15])),
    ),
    EfRow(
        "EF_FPLMN", 0x6F7B, _TRANSPARENT, 12, _ref("4.2.16"), PIN_PIN, sfi=0x0D, codec="plmns",
        examples=(("00F110130062FFFFFFFFFFFF", ["001-01", "310-260"]),),
    ),
    EfRow("EF_LOCI", 0x6F7E, _TRANSPARENT, 11, _ref("4.2.17"), PIN_PIN, sfi=0x0B, default=_NO_LOCATION),
    EfRow("EF_AD", 0x6FAD, _TRANSPARENT, 4, _ref("4.2.18"), ALWAYS_ADM, sfi=0x03),
    EfRow(
        "EF_ECC", 0x6FB7, _LINEAR, 4, _ref("4.2.21"), ALWAYS_ADM, sfi=0x01, records=5, codec="emergency code",
        examples=(("11F2FF00", "112"), ("19F1FF00", "911")),
    ),
    EfRow("EF_PSLOCI", 0x6F73, _TRANSPARENT, 14, _ref("4.2.23"), PIN_PIN, sfi=0x0C, default=_NO_PS_LOCATION),
    EfRow("EF_START-HFN", 0x6F5B, _TRANSPARENT, 6, _ref("4.2.51"), PIN_PIN, sfi=0x0F, default=_NO_START),
    EfRow("EF_THRESHOLD", 0x6F5C, _TRANSPARENT, 3, _ref("4.2.52"), PIN_ADM, sfi=0x10),
    EfRow("EF_OPLMNwAcT", 0x6F61, _TRANSPARENT, 40, _ref("4.2.53"), PIN_ADM, sfi=0x11, service=42),
    EfRow(
        "EF_HPLMNwAcT", 0x6F62, _TRANSPARENT, 10, _ref("4.2.54"), PIN_ADM, sfi=0x13, service=43,
        codec="plmns with access technology", examples=(("00F110C880", ["001-01"]),),
    ),
    EfRow("EF_NETPAR", 0x6FC4, _TRANSPARENT, 46, _ref("4.2.57"), PIN_PIN),
    EfRow(
        "EF_MSISDN", 0x6F40, _LINEAR, 28, _ref("4.2.26"), PIN_PIN, records=1, service=21, codec="msisdn",
        examples=(("FF" * 14 + "0791999910325476FFFFFFFFFFFF"[:28], "+999901234567"),),
    ),
    EfRow(
        "EF_EHPLMN", 0x6FD9, _TRANSPARENT, 6, _ref("4.2.84"), PIN_ADM, sfi=0x1D, service=71, codec="plmns",
        examples=(("00F110FFFFFF", ["001-01"]),),
    ),
    # Room for RAND, a B-TID of 64 bytes and a lifetime text.
    EfRow("EF_GBABP", 0x6FD6, _TRANSPARENT, 128, _sourced("4.2.79"), PIN_PIN, service=68),
    EfRow("EF_MSK", 0x6FD7, _LINEAR, 20, _sourced("4.2.80"), PIN_ADM, service=69, default=b"\xff\xff\xff\x00"),
    EfRow("EF_MUK", 0x6FD8, _LINEAR, 200, _sourced("4.2.81"), PIN_ADM, service=69),
    EfRow("EF_GBANL", 0x6FDA, _LINEAR, 200, _sourced("4.2.83"), PIN_ADM, service=68),
)  # fmt: skip
