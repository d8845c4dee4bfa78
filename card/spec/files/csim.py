"""Files of the CSIM application, under ADF_CSIM (3GPP2 C.S0065-B clause 5.2). The services are those of EF_CSIM_ST.

Identifiers are sourced, sizes recalled. The last four rows are provisional: the layout of the BAK files, and the two
key files of MBMS, which no 3GPP2 text gives a CSIM; a CSIM that takes LTKMs shows its keys in them as a USIM does.

DF_CDMA shows the same files to terminals that look for an R-UIM (C.S0023-D clause 3.4), as DF_GSM does for a SIM.
"""

from __future__ import annotations

from dataclasses import replace

from card.spec.files.rows import ADM_ADM, ALWAYS_ADM, ALWAYS_PIN, PIN_ADM, PIN_PIN, DfRow, EfRow, Structure
from card.spec.refs import Confidence, Ref

_TRANSPARENT = Structure.TRANSPARENT
_LINEAR = Structure.LINEAR_FIXED
_CYCLIC = Structure.CYCLIC

SMS_STORAGE = 6
HRPD = 8
HOME_SPN = 10
SIMPLE_IP = 14
BCMCS = 18
BAK_RECORD_SIZE = 32


def _ref(clause: str = "5.2") -> Ref:
    return Ref("C.S0065-B", clause, Confidence.RECALLED)


def _ours() -> Ref:
    return Ref("C.S0065-B", "5.2", Confidence.OURS)


_CLASS_0_UNPROGRAMMED = bytes(10)
_NO_NAME = bytes((0,))

CSIM_FILES: tuple[EfRow, ...] = (
    EfRow("EF_ARR", 0x6F06, _LINEAR, 64, _ref(), ALWAYS_ADM, sfi=0x06, records=1),
    EfRow("EF_COUNT", 0x6F21, _CYCLIC, 2, _ref(), PIN_PIN, records=1, default=bytes(2)),
    EfRow(
        "EF_IMSI_M", 0x6F22, _TRANSPARENT, 10, _ref("5.2.2"), PIN_ADM, codec="imsi_m",
        examples=(("008503A69A3A5A80DE03", "001010123456789"), ("00E703E7EBF90480D100", "310150000000000")),
    ),
    EfRow("EF_IMSI_T", 0x6F23, _TRANSPARENT, 10, _ref(), PIN_ADM, default=_CLASS_0_UNPROGRAMMED, codec="imsi_m"),
    EfRow("EF_TMSI", 0x6F24, _TRANSPARENT, 16, _ref(), PIN_PIN),
    EfRow("EF_AH", 0x6F25, _TRANSPARENT, 2, _ref(), PIN_ADM, default=bytes(2)),
    EfRow("EF_AOP", 0x6F26, _TRANSPARENT, 1, _ref(), PIN_PIN, default=bytes(1)),
    EfRow("EF_ALOC", 0x6F27, _TRANSPARENT, 7, _ref(), PIN_PIN, default=bytes(7)),
    EfRow(
        "EF_CDMAHOME", 0x6F28, _LINEAR, 5, _ref("5.2.8"), PIN_ADM, records=1, default=bytes(5), codec="cdma home",
        examples=(("0410010000", "4100/1"),),
    ),
    EfRow("EF_ZNREGI", 0x6F29, _LINEAR, 8, _ref(), PIN_PIN, records=1),
    EfRow("EF_SNREGI", 0x6F2A, _TRANSPARENT, 7, _ref(), PIN_PIN, default=bytes(7)),
    EfRow("EF_DISTREGI", 0x6F2B, _TRANSPARENT, 8, _ref(), PIN_PIN, default=bytes(8)),
    EfRow("EF_ACCOLC", 0x6F2C, _TRANSPARENT, 1, _ref(), PIN_ADM, default=bytes(1)),
    EfRow("EF_TERM", 0x6F2D, _TRANSPARENT, 1, _ref(), PIN_ADM, default=bytes(1)),
    EfRow("EF_ACP", 0x6F2F, _TRANSPARENT, 7, _ref(), PIN_ADM, default=bytes(7)),
    EfRow("EF_PRL", 0x6F30, _TRANSPARENT, 16, _ref(), PIN_ADM, codec="prl id"),
    EfRow(
        "EF_RUIMID", 0x6F31, _TRANSPARENT, 8, _ref(), ALWAYS_ADM, codec="ruim id",
        examples=(("0404030201FFFFFF", bytes.fromhex("01020304")),),
    ),
    EfRow(
        "EF_CSIM_ST", 0x6F32, _TRANSPARENT, 6, _ref(), PIN_ADM, codec="services",
        examples=(("000202", [10, 18]),),
    ),
    EfRow(
        "EF_SPC", 0x6F33, _TRANSPARENT, 3, _ref(), ADM_ADM, default=bytes(3), codec="spc",
        examples=(("214365", "123456"),), secret=True,
    ),
    EfRow("EF_OTAPASPC", 0x6F34, _TRANSPARENT, 1, _ref(), PIN_PIN, default=bytes(1)),
    EfRow("EF_NAMLOCK", 0x6F35, _TRANSPARENT, 1, _ref(), PIN_PIN, default=bytes(1)),
    EfRow("EF_OTA", 0x6F36, _TRANSPARENT, 8, _ref(), PIN_ADM, default=bytes(8)),
    EfRow("EF_SP", 0x6F37, _TRANSPARENT, 1, _ref(), PIN_PIN, default=bytes(1)),
    EfRow("EF_ESN_MEID_ME", 0x6F38, _TRANSPARENT, 8, _ref(), ALWAYS_PIN, default=bytes(8)),
    EfRow(
        "EF_LI", 0x6F3A, _TRANSPARENT, 6, _ref("5.2.26"), ALWAYS_PIN, codec="csim languages",
        examples=(("00010002FFFF", ["en", "fr"]),),
    ),
    EfRow("EF_SMS", 0x6F3C, _LINEAR, 255, _ref(), PIN_PIN, records=10, service=SMS_STORAGE, default=b"\x00"),
    EfRow("EF_SMSS", 0x6F3E, _TRANSPARENT, 5, _ref(), PIN_PIN, service=SMS_STORAGE, default=bytes(5)),
    EfRow(
        "EF_SPN", 0x6F41, _TRANSPARENT, 35, _ref("5.2.32"), ALWAYS_ADM, service=HOME_SPN, codec="csim spn",
        examples=(("010201" + b"BCAST TEST".hex() + "FF" * 22, "BCAST TEST"),),
    ),
    EfRow("EF_USGIND", 0x6F42, _TRANSPARENT, 1, _ref(), PIN_ADM, default=bytes(1)),
    EfRow("EF_AD", 0x6F43, _TRANSPARENT, 3, _ref(), ALWAYS_ADM, default=bytes(3)),
    EfRow(
        "EF_MDN", 0x6F44, _LINEAR, 11, _ref("5.2.35"), PIN_PIN, records=1, codec="mdn",
        examples=(("0A21436587A9FFFFFF0000", "1234567890"),),
    ),
    EfRow("EF_MAXPRL", 0x6F45, _TRANSPARENT, 4, _ref(), PIN_ADM, default=bytes.fromhex("00100010")),
    EfRow("EF_SPCS", 0x6F46, _TRANSPARENT, 1, _ref(), PIN_ADM, default=bytes(1)),
    EfRow("EF_SIPUPP", 0x6F4C, _TRANSPARENT, 96, _ref(), PIN_ADM, service=SIMPLE_IP, default=_NO_NAME, secret=True),
    EfRow("EF_MECRP", 0x6F55, _TRANSPARENT, 3, _ref(), ALWAYS_PIN, default=bytes(3)),
    EfRow("EF_HRPDCAP", 0x6F56, _TRANSPARENT, 3, _ref(), PIN_ADM, service=HRPD, default=bytes.fromhex("024801")),
    EfRow(
        "EF_HRPDUPP", 0x6F57, _TRANSPARENT, 96, _ref(), PIN_ADM, service=HRPD, codec="hrpd nai",
        examples=(("080675406E2E6F7210", "u@n.or"),), secret=True,
    ),
    EfRow(
        "EF_EPRL", 0x6F5A, _TRANSPARENT, 16, _ref("5.2.57"), PIN_ADM, codec="prl id",
        examples=(("0028000700", 7),),
    ),
    EfRow("EF_HOME_TAG", 0x6F70, _TRANSPARENT, 8, _ref(), PIN_ADM),
    EfRow("EF_GROUP_TAG", 0x6F71, _TRANSPARENT, 8, _ref(), PIN_ADM),
    EfRow("EF_SPECIFIC_TAG", 0x6F72, _TRANSPARENT, 8, _ref(), PIN_ADM),
    EfRow("EF_CALL_PROMPT", 0x6F73, _TRANSPARENT, 8, _ref(), PIN_ADM),
    EfRow(
        "EF_BAKPARA", 0x6F63, _LINEAR, BAK_RECORD_SIZE, _ours(), PIN_ADM, records=8, service=BCMCS,
        codec="bak parameters",
        examples=(("03000102020001043B9ACA00", (b"\x00\x01\x02", b"\x00\x01", bytes.fromhex("3B9ACA00"))),),
    ),
    EfRow(
        "EF_UpBAKPARA", 0x6F64, _LINEAR, BAK_RECORD_SIZE, _ours(), PIN_ADM, records=8, service=BCMCS,
        codec="bak parameters",
    ),
    EfRow("EF_MSK", 0x6FD7, _LINEAR, 20, _ours(), PIN_ADM, service=BCMCS, default=b"\xff\xff\xff\x00"),
    EfRow("EF_MUK", 0x6FD8, _LINEAR, 200, _ours(), PIN_ADM, service=BCMCS),
)  # fmt: skip

_NOT_ON_A_RUIM = ("EF_ARR", "EF_CSIM_ST", "EF_MSK", "EF_MUK")

RUIM_FILES: tuple[EfRow, ...] = (
    EfRow(
        "EF_CST", 0x6F32, _TRANSPARENT, 10, Ref("C.S0023-D", "3.4", Confidence.SOURCED), PIN_ADM,
        codec="sim services", examples=(("0303" + "00" * 7 + "30", [1, 5, 39]),),
    ),
    *(replace(row, sfi=0, service=0, examples=(), view=f"ADF.CSIM/{row.fid:04X}") for row in CSIM_FILES
      if row.name not in _NOT_ON_A_RUIM),
)  # fmt: skip
DF_CDMA = DfRow("DF_CDMA", 0x7F25, Ref("C.S0023-D", "3.4", Confidence.SOURCED), RUIM_FILES, application="CSIM")
