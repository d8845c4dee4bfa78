"""The phone book, DF_PHONEBOOK (TS 31.102 clause 4.4.2).

EF_PBR says which files belong together: the files of type 1 hold record n for entry n, those of type 3 are pointed to.
"""

from __future__ import annotations

from card.codec.tlv import encode_tlv
from card.spec.files.rows import PIN_ADM, PIN_PIN, DfRow, EfRow, Structure
from card.spec.refs import Confidence, Ref

_TRANSPARENT = Structure.TRANSPARENT
_LINEAR = Structure.LINEAR_FIXED

ADN, PBC, EXT1 = 0x4F3A, 0x4F09, 0x4F4A
ENTRIES = 50
"""How many entries the phone book holds."""

# A8: files of type 1 (C0 ADN, C5 PBC, C6 GRP, C4 ANR, C9 UID, CA EMAIL). AA: files of type 3 (C2 EXT1, C8 GAS). Each
# with its SFI.
_TYPE_1 = bytes.fromhex("C0034F3A01 C5034F0902 C6034F2603 C4034F1104 C9034F2108 CA034F5005")
_TYPE_3 = bytes.fromhex("C2034F4A06 C8034F4C07")
_REFERENCE = encode_tlv(0xA8, _TYPE_1) + encode_tlv(0xAA, _TYPE_3)
_NO_GROUP = bytes(4)
_PBC = b"\x00\x00"


def _ref(clause: str) -> Ref:
    return Ref("TS 31.102", clause)


PHONEBOOK_FILES: tuple[EfRow, ...] = (
    EfRow(
        "EF_PBR", 0x4F30, _LINEAR, 44, Ref("TS 31.102", "4.4.2.1", Confidence.SOURCED), PIN_ADM, records=1,
        default=_REFERENCE,
    ),
    EfRow(
        "EF_ADN", ADN, _LINEAR, 28, _ref("4.4.2.3"), PIN_PIN, sfi=0x01, records=ENTRIES, codec="dialling number",
        examples=(("4F6C6761" + "FF" * 10 + "0791999910325476FFFFFFFFFFFF", ("Olga", "+999901234567")),),
    ),
    EfRow("EF_PBC", PBC, _LINEAR, 2, _ref("4.4.2.5"), PIN_PIN, sfi=0x02, records=ENTRIES, default=_PBC),
    EfRow("EF_GRP", 0x4F26, _LINEAR, 4, _ref("4.4.2.6"), PIN_PIN, sfi=0x03, records=ENTRIES, default=_NO_GROUP),
    EfRow("EF_ANR", 0x4F11, _LINEAR, 17, _ref("4.4.2.9"), PIN_PIN, sfi=0x04, records=ENTRIES),
    EfRow("EF_UID", 0x4F21, _LINEAR, 2, _ref("4.4.2.12.1"), PIN_PIN, sfi=0x08, records=ENTRIES, default=b"\x00\x00"),
    EfRow("EF_EMAIL", 0x4F50, _LINEAR, 42, _ref("4.4.2.13"), PIN_PIN, sfi=0x05, records=ENTRIES),
    EfRow("EF_EXT1", EXT1, _LINEAR, 13, _ref("4.4.2.4"), PIN_PIN, sfi=0x06, records=5, default=b"\x00"),
    EfRow("EF_GAS", 0x4F4C, _LINEAR, 16, _ref("4.4.2.8"), PIN_PIN, sfi=0x07, records=5),
    EfRow("EF_PSC", 0x4F22, _TRANSPARENT, 4, _ref("4.4.2.12.2"), PIN_PIN, sfi=0x09, default=bytes(4)),
    EfRow("EF_CC", 0x4F23, _TRANSPARENT, 2, _ref("4.4.2.12.3"), PIN_PIN, sfi=0x0A, default=bytes(2)),
    EfRow("EF_PUID", 0x4F24, _TRANSPARENT, 2, _ref("4.4.2.12.4"), PIN_PIN, sfi=0x0B, default=bytes(2)),
)  # fmt: skip

DF_PHONEBOOK = DfRow("DF_PHONEBOOK", 0x5F3A, _ref("4.4.2"), PHONEBOOK_FILES, service=1)
