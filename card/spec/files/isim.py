"""Files of the ISIM application, under ADF_ISIM (TS 31.103 clause 4.2). The services are those of EF_IST."""

from __future__ import annotations

from card.spec.files.rows import ALWAYS_ADM, PIN_ADM, PIN_PIN, EfRow, Structure
from card.spec.refs import Confidence, Ref

_TRANSPARENT = Structure.TRANSPARENT
_LINEAR = Structure.LINEAR_FIXED


def _ref(clause: str) -> Ref:
    return Ref("TS 31.103", clause, Confidence.SOURCED)


ISIM_FILES: tuple[EfRow, ...] = (
    EfRow(
        "EF_IMPI", 0x6F02, _TRANSPARENT, 32, _ref("4.2.2"), PIN_ADM, sfi=0x02, codec="text object",
        examples=(("8006753140612E62", "u1@a.b"),),
    ),
    EfRow("EF_DOMAIN", 0x6F03, _TRANSPARENT, 32, _ref("4.2.3"), PIN_ADM, sfi=0x05, codec="text object"),
    EfRow("EF_IMPU", 0x6F04, _LINEAR, 64, _ref("4.2.4"), PIN_ADM, sfi=0x04, records=1, codec="text object"),
    EfRow("EF_AD", 0x6FAD, _TRANSPARENT, 3, _ref("4.2.5"), ALWAYS_ADM, sfi=0x03, default=bytes(3)),
    EfRow("EF_ARR", 0x6F06, _LINEAR, 64, _ref("4.2.6"), ALWAYS_ADM, sfi=0x06, records=1),
    EfRow(
        "EF_IST", 0x6F07, _TRANSPARENT, 3, _ref("4.2.7"), PIN_ADM, sfi=0x07, codec="services",
        examples=(("02", [2]), ("13", [1, 2, 5])),
    ),
    EfRow(
        "EF_P-CSCF", 0x6F09, _LINEAR, 64, _ref("4.2.8"), PIN_ADM, records=1, service=1, further_services=(5,),
        codec="server address", examples=(("8005017F000001", "127.0.0.1"), ("800400612E62", "a.b")),
    ),
    EfRow("EF_GBABP", 0x6FD5, _TRANSPARENT, 128, _ref("4.2.9"), PIN_PIN, service=2),
    EfRow("EF_GBANL", 0x6FD7, _LINEAR, 200, _ref("4.2.10"), PIN_ADM, service=2),
    EfRow("EF_GBAUAPI", 0x6F0A, _LINEAR, 64, _ref("4.2.22"), PIN_ADM, records=2, service=2),
)  # fmt: skip
