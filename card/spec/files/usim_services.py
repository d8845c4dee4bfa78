"""Files of the USIM application that come with a service (TS 31.102 clause 4.2); `usim.py` has the others."""

from __future__ import annotations

from card.spec.files.rows import PIN_ADM, PIN_PIN, PIN_PIN2, Access, EfRow, Right, Structure
from card.spec.refs import Confidence, Ref

_TRANSPARENT = Structure.TRANSPARENT
_LINEAR = Structure.LINEAR_FIXED
_CYCLIC = Structure.CYCLIC

_PIN_INCREASE = Access(update=Right.PIN, increase=Right.PIN)
_NO_EPS_LOCATION = bytes.fromhex("FFFFFFFFFFFFFFFFFFFFFFFF FFFFFF0000 01")
_SMS_FREE = b"\x00"
_SMSS = b"\x00\xff"  # last message reference 0, no "memory capacity exceeded"
_MBI = bytes(4)
_MWIS = bytes(5)
_VOICE_GROUPS = 32  # groups that fit EF_VGCS and EF_VBS; the specification has room for 50
_CFIS = b"\x01\x00"  # profile 1, no forwarding


def _ref(clause: str) -> Ref:
    return Ref("TS 31.102", clause, Confidence.SOURCED)


USIM_SERVICE_FILES: tuple[EfRow, ...] = (
    EfRow("EF_GID1", 0x6F3E, _TRANSPARENT, 1, _ref("4.2.10"), PIN_ADM, service=17),
    EfRow("EF_GID2", 0x6F3F, _TRANSPARENT, 1, _ref("4.2.11"), PIN_ADM, service=18),
    EfRow("EF_CBMI", 0x6F45, _TRANSPARENT, 20, _ref("4.2.14"), PIN_PIN, service=15),
    EfRow("EF_CBMIR", 0x6F50, _TRANSPARENT, 20, _ref("4.2.22"), PIN_PIN, service=16),
    EfRow("EF_CBMID", 0x6F48, _TRANSPARENT, 20, _ref("4.2.20"), PIN_ADM, sfi=0x0E, service=29),
    EfRow("EF_FDN", 0x6F3B, _LINEAR, 28, _ref("4.2.24"), PIN_PIN2, records=10, service=2, codec="dialling number"),
    EfRow("EF_EXT2", 0x6F4B, _LINEAR, 13, _ref("4.2.30"), PIN_PIN2, records=2, service=3, default=b"\x00"),
    EfRow("EF_SMS", 0x6F3C, _LINEAR, 176, _ref("4.2.25"), PIN_PIN, records=20, service=10, default=_SMS_FREE),
    EfRow("EF_SMSS", 0x6F43, _TRANSPARENT, 2, _ref("4.2.28"), PIN_PIN, service=10, default=_SMSS),
    EfRow("EF_SMSR", 0x6F47, _LINEAR, 30, _ref("4.2.32"), PIN_PIN, records=20, service=11, default=b"\x00"),
    EfRow(
        "EF_SMSP", 0x6F42, _LINEAR, 42, _ref("4.2.27"), PIN_PIN, records=1, service=12, codec="sms parameters",
        examples=(("FF" * 14 + "FD" + "FF" * 12 + "0791999910325476FFFFFFFF" + "FFFFFF", "+999901234567"),),
    ),
    EfRow("EF_SDN", 0x6F49, _LINEAR, 28, _ref("4.2.29"), PIN_ADM, records=5, service=4, codec="dialling number"),
    EfRow("EF_EXT3", 0x6F4C, _LINEAR, 13, _ref("4.2.31"), PIN_ADM, records=2, service=5, default=b"\x00"),
    EfRow("EF_ICI", 0x6F80, _CYCLIC, 28, _ref("4.2.33"), PIN_PIN, sfi=0x14, records=5, service=9),
    EfRow("EF_OCI", 0x6F81, _CYCLIC, 27, _ref("4.2.34"), PIN_PIN, sfi=0x15, records=5, service=8),
    EfRow("EF_ICT", 0x6F82, _CYCLIC, 3, _ref("4.2.35"), _PIN_INCREASE, records=1, service=9, default=bytes(3)),
    EfRow("EF_OCT", 0x6F83, _CYCLIC, 3, _ref("4.2.36"), _PIN_INCREASE, records=1, service=8, default=bytes(3)),
    EfRow("EF_EXT5", 0x6F4E, _LINEAR, 13, _ref("4.2.37"), PIN_PIN, records=2, service=44, default=b"\x00"),
    EfRow(
        "EF_EST", 0x6F56, _TRANSPARENT, 1, _ref("4.2.47"), PIN_PIN2, sfi=0x05, service=34,
        further_services=(2, 6, 35), default=b"\x00", codec="services", examples=(("01", [1]),),
    ),
    EfRow(
        "EF_PNN", 0x6FC5, _LINEAR, 24, _ref("4.2.58"), Access(read=Right.ALWAYS), sfi=0x19, records=4, service=45,
        codec="network name", examples=(("430685C261704A05", "BCAST"), ("43028141", "A")),
    ),
    EfRow(
        "EF_OPL", 0x6FC6, _LINEAR, 8, _ref("4.2.59"), Access(read=Right.ALWAYS), sfi=0x1A, records=4, service=46,
        codec="operator names", examples=(("00F1100000FFFE01", ("001-01", 1)),),
    ),
    EfRow("EF_MBDN", 0x6FC7, _LINEAR, 28, _ref("4.2.60"), PIN_PIN, records=4, service=47, codec="dialling number"),
    EfRow("EF_EXT6", 0x6FC8, _LINEAR, 13, _ref("4.2.61"), PIN_PIN, records=2, service=47, default=b"\x00"),
    EfRow("EF_MBI", 0x6FC9, _LINEAR, 4, _ref("4.2.62"), PIN_PIN, records=2, service=47, default=_MBI),
    EfRow("EF_MWIS", 0x6FCA, _LINEAR, 5, _ref("4.2.63"), PIN_PIN, records=2, service=48, default=_MWIS),
    EfRow("EF_CFIS", 0x6FCB, _LINEAR, 16, _ref("4.2.64"), PIN_PIN, records=2, service=49, default=_CFIS),
    EfRow("EF_EXT7", 0x6FCC, _LINEAR, 13, _ref("4.2.65"), PIN_PIN, records=2, service=49, default=b"\x00"),
    EfRow(
        "EF_VGCS", 0x6FB1, _TRANSPARENT, 4 * _VOICE_GROUPS, _ref("4.2.73"), PIN_ADM, service=57, codec="voice groups",
        examples=(("21FFFFFF21436587", ["12", "12345678"]), ("F0FFFFFF", ["0"])),
    ),
    EfRow("EF_VGCSS", 0x6FB2, _TRANSPARENT, 7, _ref("4.2.74"), PIN_PIN, service=57),
    EfRow(
        "EF_VBS", 0x6FB3, _TRANSPARENT, 4 * _VOICE_GROUPS, _ref("4.2.75"), PIN_ADM, service=58, codec="voice groups",
        examples=(("2143F5FF", ["12345"]),),
    ),
    EfRow("EF_VBSS", 0x6FB4, _TRANSPARENT, 7, _ref("4.2.76"), PIN_PIN, service=58),
    EfRow("EF_VGCSCA", 0x6FD4, _TRANSPARENT, 2 * _VOICE_GROUPS, _ref("4.2.77"), PIN_ADM, service=64),
    EfRow("EF_VBSCA", 0x6FD5, _TRANSPARENT, 2 * _VOICE_GROUPS, _ref("4.2.78"), PIN_ADM, service=65),
    EfRow("EF_EHPLMNPI", 0x6FDB, _TRANSPARENT, 1, _ref("4.2.85"), PIN_ADM, service=73, default=b"\x00"),
    EfRow("EF_LRPLMNSI", 0x6FDC, _TRANSPARENT, 1, _ref("4.2.86"), PIN_ADM, service=74, default=b"\x00"),
    EfRow("EF_NAFKCA", 0x6FDD, _LINEAR, 64, _ref("4.2.87"), PIN_ADM, records=2, service=76),
    # Which applets on the card may ask for which NAF keys (TS 31.130): none.
    EfRow("EF_GBAUAPI", 0x6F0A, _LINEAR, 64, _ref("4.2.117"), PIN_ADM, records=2, service=68),
    EfRow(
        "EF_EPSLOCI", 0x6FE3, _TRANSPARENT, 18, _ref("4.2.91"), PIN_PIN, sfi=0x1E, service=85,
        default=_NO_EPS_LOCATION,
    ),
    EfRow("EF_EPSNSC", 0x6FE4, _LINEAR, 80, _ref("4.2.92"), PIN_PIN, sfi=0x18, records=1, service=85, secret=True),
)  # fmt: skip
