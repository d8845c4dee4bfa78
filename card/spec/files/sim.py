"""The SIM as older terminals see it: DF_GSM and DF_TELECOM (TS 51.011 clauses 10.3, 10.5), and DF_GSM-ACCESS.

Most of these files are views: a row with `view` shows the content of a file of the USIM, so that both stay in step.
"""

from __future__ import annotations

from card.spec.files.phonebook import ENTRIES, PHONEBOOK_FILES
from card.spec.files.rows import ALWAYS_ADM, PIN_ADM, PIN_PIN, PIN_PIN2, Access, DfRow, EfRow, Right, Structure
from card.spec.refs import Confidence, Ref

_TRANSPARENT = Structure.TRANSPARENT
_LINEAR = Structure.LINEAR_FIXED
_CYCLIC = Structure.CYCLIC
_NO_KEY = b"\xff" * 8 + b"\x07"


def _sim(clause: str) -> Ref:
    return Ref("TS 51.011", clause, Confidence.SOURCED)


def _usim(clause: str) -> Ref:
    return Ref("TS 31.102", clause, Confidence.SOURCED)


def _view(row: EfRow, directory: str) -> EfRow:
    """Return a row that shows `row` of another directory under its own identifier."""
    return EfRow(
        row.name, row.fid, row.structure, row.size, row.ref, row.access, row.sfi, row.records, row.default,
        codec=row.codec, secret=row.secret, view=f"{directory}/{row.fid:04X}",
    )  # fmt: skip


GSM_ACCESS_FILES: tuple[EfRow, ...] = (
    EfRow(
        "EF_Kc", 0x4F20, _TRANSPARENT, 9, _usim("4.4.3.1"), PIN_PIN, sfi=0x01, service=27, default=_NO_KEY, secret=True
    ),
    EfRow(
        "EF_KcGPRS",
        0x4F52,
        _TRANSPARENT,
        9,
        _usim("4.4.3.2"),
        PIN_PIN,
        sfi=0x02,
        service=27,
        default=_NO_KEY,
        secret=True,
    ),
)
DF_GSM_ACCESS = DfRow("DF_GSM-ACCESS", 0x5F3B, _usim("4.4.3"), GSM_ACCESS_FILES, service=27)

_OF_USIM = "ADF.USIM/"
_T = _TRANSPARENT

GSM_FILES: tuple[EfRow, ...] = (
    EfRow("EF_LP", 0x6F05, _T, 4, _sim("10.3.1"), Access(Right.ALWAYS, Right.PIN)),
    EfRow("EF_IMSI", 0x6F07, _T, 9, _sim("10.3.2"), PIN_ADM, codec="imsi", view=_OF_USIM + "6F07"),
    EfRow("EF_Kc", 0x6F20, _T, 9, _sim("10.3.3"), PIN_PIN, view=_OF_USIM + "5F3B/4F20", secret=True),
    EfRow("EF_PLMNsel", 0x6F30, _T, 24, _sim("10.3.4"), PIN_PIN, codec="plmns"),
    EfRow("EF_HPPLMN", 0x6F31, _T, 1, _sim("10.3.5"), PIN_ADM, view=_OF_USIM + "6F31"),
    EfRow(
        "EF_SST", 0x6F38, _T, 15, _sim("10.3.7"), PIN_ADM, codec="sim services", examples=(("0F00C0", [1, 2, 12]),)
    ),
    EfRow("EF_GID1", 0x6F3E, _T, 1, _sim("10.3.9"), PIN_ADM, view=_OF_USIM + "6F3E"),
    EfRow("EF_GID2", 0x6F3F, _T, 1, _sim("10.3.10"), PIN_ADM, view=_OF_USIM + "6F3F"),
    EfRow("EF_SPN", 0x6F46, _T, 17, _sim("10.3.11"), ALWAYS_ADM, codec="spn", view=_OF_USIM + "6F46"),
    EfRow("EF_CBMI", 0x6F45, _T, 20, _sim("10.3.13"), PIN_PIN, view=_OF_USIM + "6F45"),
    EfRow("EF_BCCH", 0x6F74, _T, 16, _sim("10.3.14"), PIN_PIN),
    EfRow("EF_ACC", 0x6F78, _T, 2, _sim("10.3.15"), PIN_ADM, codec="access classes", view=_OF_USIM + "6F78"),
    EfRow("EF_FPLMN", 0x6F7B, _T, 12, _sim("10.3.16"), PIN_PIN, codec="plmns", view=_OF_USIM + "6F7B"),
    EfRow("EF_LOCI", 0x6F7E, _T, 11, _sim("10.3.17"), PIN_PIN, view=_OF_USIM + "6F7E"),
    EfRow("EF_AD", 0x6FAD, _T, 4, _sim("10.3.18"), ALWAYS_ADM, view=_OF_USIM + "6FAD"),
    # Phase 2 plus "profile download required": the terminal sends TERMINAL PROFILE.
    EfRow("EF_Phase", 0x6FAE, _T, 1, _sim("10.3.19"), ALWAYS_ADM, default=b"\x03"),
    EfRow("EF_ECC", 0x6FB7, _T, 15, _sim("10.3.27"), ALWAYS_ADM, codec="emergency numbers",
          examples=(("11F2FF19F1FF", ["112", "911"]),)),
    EfRow("EF_CBMIR", 0x6F50, _T, 20, _sim("10.3.28"), PIN_PIN, view=_OF_USIM + "6F50"),
    EfRow("EF_KcGPRS", 0x6F52, _T, 9, _sim("10.3.33"), PIN_PIN, view=_OF_USIM + "5F3B/4F52", secret=True),
    EfRow("EF_LOCIGPRS", 0x6F53, _T, 14, _sim("10.3.34"), PIN_PIN, view=_OF_USIM + "6F73"),
    EfRow("EF_PLMNwAcT", 0x6F60, _T, 40, _sim("10.3.36"), PIN_PIN, view=_OF_USIM + "6F60"),
    EfRow("EF_OPLMNwAcT", 0x6F61, _T, 40, _sim("10.3.37"), PIN_ADM, view=_OF_USIM + "6F61"),
    EfRow("EF_HPLMNwAcT", 0x6F62, _T, 10, _sim("10.3.38"), PIN_ADM, view=_OF_USIM + "6F62"),
)  # fmt: skip
DF_GSM = DfRow("DF_GSM", 0x7F20, _sim("10.3"), GSM_FILES, service=27)

_OF_PHONEBOOK = f"{_OF_USIM}5F3A"

TELECOM_FILES: tuple[EfRow, ...] = (
    EfRow("EF_ADN", 0x6F3A, _LINEAR, 28, _sim("10.5.1"), PIN_PIN, records=ENTRIES, codec="dialling number",
          view=_OF_PHONEBOOK + "/4F3A"),
    EfRow("EF_FDN", 0x6F3B, _LINEAR, 28, _sim("10.5.2"), PIN_PIN2, codec="dialling number", view=_OF_USIM + "6F3B"),
    EfRow("EF_SMS", 0x6F3C, _LINEAR, 176, _sim("10.5.3"), PIN_PIN, view=_OF_USIM + "6F3C"),
    EfRow("EF_MSISDN", 0x6F40, _LINEAR, 28, _sim("10.5.5"), PIN_PIN, codec="msisdn", view=_OF_USIM + "6F40"),
    EfRow("EF_SMSP", 0x6F42, _LINEAR, 42, _sim("10.5.6"), PIN_PIN, codec="sms parameters", view=_OF_USIM + "6F42"),
    EfRow("EF_SMSS", 0x6F43, _TRANSPARENT, 2, _sim("10.5.7"), PIN_PIN, view=_OF_USIM + "6F43"),
    EfRow("EF_LND", 0x6F44, _CYCLIC, 28, _sim("10.5.8"), PIN_PIN, records=5, codec="dialling number"),
    EfRow("EF_SMSR", 0x6F47, _LINEAR, 30, _sim("10.5.9"), PIN_PIN, view=_OF_USIM + "6F47"),
    EfRow("EF_EXT1", 0x6F4A, _LINEAR, 13, _sim("10.5.10"), PIN_PIN, view=_OF_PHONEBOOK + "/4F4A"),
    EfRow("EF_EXT2", 0x6F4B, _LINEAR, 13, _sim("10.5.11"), PIN_PIN2, view=_OF_USIM + "6F4B"),
)  # fmt: skip
TELECOM_PHONEBOOK_FILES: tuple[EfRow, ...] = tuple(_view(row, _OF_PHONEBOOK) for row in PHONEBOOK_FILES)

DF_TELECOM = DfRow(
    "DF_TELECOM",
    0x7F10,
    _sim("10.5"),
    TELECOM_FILES,
    directories=(DfRow("DF_PHONEBOOK", 0x5F3A, _usim("4.6"), TELECOM_PHONEBOOK_FILES, service=1),),
)
"""DF_TELECOM with the phone book that is not an application's: here a view of the USIM's, so that there is one."""
