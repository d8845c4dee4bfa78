"""The USIM service table as a terminal reads it (TS 31.102 clause 4.2.8)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from card.spec.catalogue import all_files

_NAMES: Mapping[int, str] = MappingProxyType(
    {
        17: "group identifier level 1",
        18: "group identifier level 2",
        19: "service provider name",
        20: "user controlled PLMN selector",
        21: "MSISDN",
        27: "GSM access",
        33: "reserved, always set",
        34: "enabled services table",
        38: "GSM security context",
        42: "operator controlled PLMN selector",
        43: "HPLMN selector",
        57: "VGCS",
        58: "VBS",
        64: "VGCS security",
        65: "VBS security",
        68: "GBA",
        69: "MBMS security",
        71: "equivalent HPLMN",
        75: "OMA BCAST Smartcard Profile",
        76: "GBA-based local key establishment",
        85: "EPS mobility management information",
    }
)


def decode_service_table(table: bytes) -> tuple[int, ...]:
    """Return the numbers of the services that EF_UST switches on; service 1 is the lowest bit of its first byte."""
    return tuple(8 * index + bit + 1 for index, byte in enumerate(table) for bit in range(8) if byte & 1 << bit)


def service_name(number: int) -> str:
    """Return what a service is called or, where it is a file, the names of the files it brings."""
    if number in _NAMES:
        return _NAMES[number]
    files = [row.name for path, row in all_files() if row.service == number and path.startswith("ADF.USIM")]
    return ", ".join(dict.fromkeys(files)) or "without a name here"
