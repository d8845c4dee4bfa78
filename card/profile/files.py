"""Files that a card profile adds, or whose content it replaces, in raw form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Self

from card.codec.access_rule import Condition
from card.codec.access_words import parse_condition
from card.profile.fields import ListOf, Table, hex_bytes
from card.profile.loader import Fault
from card.spec.files.fids import CURRENT_ADF, MF
from card.tables.kinds import FLAG, choice, integer, parsed

MOST_FILES = 512
MOST_RECORDS = 254
MOST_FILE_BYTES = 0xFFFF
MOST_RECORD_BYTES = 255
_MOST_LEVELS = 8


class Structure(Enum):
    """Structure of an EF (TS 102 221 clause 8.2.2)."""

    TRANSPARENT = "transparent"
    LINEAR_FIXED = "linear-fixed"
    CYCLIC = "cyclic"
    BER_TLV = "ber-tlv"


_RECORD_STRUCTURES = (Structure.LINEAR_FIXED, Structure.CYCLIC)


class AccessCondition(Enum):
    """What must be fulfilled before a file may be used in some way (TS 102 221 clause 9.2)."""

    ALWAYS = "ALW"
    PIN1 = "PIN1"
    PIN2 = "PIN2"
    UNIVERSAL = "UNIVERSAL"
    ADM1 = "ADM1"
    ADM2 = "ADM2"
    ADM3 = "ADM3"
    ADM4 = "ADM4"
    ADM5 = "ADM5"
    ADM6 = "ADM6"
    ADM7 = "ADM7"
    ADM8 = "ADM8"
    ADM9 = "ADM9"
    ADM10 = "ADM10"
    NEVER = "NEV"

    @property
    def condition(self) -> Condition:
        """The condition that a card checks."""
        return parse_condition(self.value)


def _parse_access(text: str) -> AccessCondition | Condition:
    """Return a name's condition, or what several names joined by "or" or "and" ask for. Raises `ValueError`."""
    return parse_condition(text) if " " in text else AccessCondition(text)


_NAMES = ", ".join(f'"{condition.value}"' for condition in AccessCondition)
CONDITION = parsed(f'{_NAMES}, or keys such as "PIN1 or ADM1", "PIN1 and ADM2"', _parse_access)


class Root(Enum):
    """Where a path begins: at the MF or at the ADF of an application."""

    MF = "MF"
    USIM = "ADF.USIM"
    ISIM = "ADF.ISIM"
    CSIM = "ADF.CSIM"


@dataclass(frozen=True, slots=True)
class EfPath:
    """The place of an EF: where to begin, then the FIDs of the DFs on the way and of the EF itself."""

    root: Root
    fids: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the place that "ADF.USIM/6F46", "MF/2F05", "3F00/2F05" or "3F00/7FFF/6F46" names.

        7FFF below the MF stands for the ADF of the USIM. Raises `ValueError`.
        """
        first, *rest = text.split("/")
        if not 1 <= len(rest) <= _MOST_LEVELS:
            raise ValueError("too short or too long")
        fids = tuple(_parse_fid(part) for part in rest)
        root = Root.MF if first.upper() == f"{MF:04X}" else Root(first)
        if root is Root.MF and fids[0] == CURRENT_ADF and len(fids) > 1:
            root, fids = Root.USIM, fids[1:]
        if MF in fids or CURRENT_ADF in fids:
            raise ValueError("MF or ADF in the middle")
        return cls(root, fids)

    def __str__(self) -> str:
        return "/".join((self.root.value, *(f"{fid:04X}" for fid in self.fids)))


def _parse_fid(text: str) -> int:
    if len(text) != 4 or not all(digit in "0123456789ABCDEFabcdef" for digit in text):
        raise ValueError("not a FID")
    return int(text, 16)


PATH = parsed('a path of four-digit FIDs such as "ADF.USIM/6F46" or "3F00/2F05"', EfPath.parse)
CONTENT = hex_bytes(0, MOST_FILE_BYTES, secret=True)
RECORDS = ListOf(hex_bytes(1, MOST_RECORD_BYTES, secret=True), MOST_RECORDS)


@dataclass(frozen=True, slots=True)
class AccessProfile:
    """Access conditions of a file; what is not given stays as it is, or NEVER for a new file.

    With `expanded` the rule stands in the file's own FCP, not in a record of EF_ARR (TS 102 221 clause 9.2.4).
    """

    read: Annotated[AccessCondition | Condition | None, CONDITION] = None
    update: Annotated[AccessCondition | Condition | None, CONDITION] = None
    increase: Annotated[AccessCondition | Condition | None, CONDITION] = None
    activate: Annotated[AccessCondition | Condition | None, CONDITION] = None
    deactivate: Annotated[AccessCondition | Condition | None, CONDITION] = None
    terminate: Annotated[AccessCondition | Condition | None, CONDITION] = None
    expanded: Annotated[bool, FLAG] = False


@dataclass(frozen=True, slots=True)
class FileProfile:
    """One file that the profile adds or overrides.

    `hex` is the content of a transparent or BER-TLV file, `records` that of a record file. `size` is in
    bytes, of the file or of each record; `count` is the number of records. What the content leaves free is
    filled with FF. Contents stay out of the repr, since a file may hold a key.
    """

    path: Annotated[EfPath, PATH]
    hex: Annotated[bytes | None, CONTENT] = field(default=None, repr=False)
    records: Annotated[tuple[bytes, ...] | None, RECORDS] = field(default=None, repr=False)
    structure: Annotated[Structure | None, choice(Structure)] = None
    size: Annotated[int | None, integer(1, MOST_FILE_BYTES)] = None
    count: Annotated[int | None, integer(1, MOST_RECORDS)] = None
    sfi: Annotated[int | None, integer(1, 30)] = None
    access: Annotated[AccessProfile, Table(AccessProfile)] = AccessProfile()

    def check(self) -> Iterator[Fault]:
        """Yield what does not fit together: content and structure, content and size."""
        if self.hex is not None and self.records is not None:
            yield Fault(("records",), "found beside hex; allowed: one of the two")
            return
        yield from self._check_structure()
        yield from self._check_size()

    def _check_structure(self) -> Iterator[Fault]:
        has_records = self.structure in _RECORD_STRUCTURES
        if self.records is not None and self.structure is not None and not has_records:
            yield Fault(("records",), f"found in a {self.structure.value} file; allowed: hex")
        if self.structure is not None and has_records and self.hex is not None:
            yield Fault(("hex",), f"found in a {self.structure.value} file; allowed: records")
        without_records = self.hex is not None or (self.structure is not None and not has_records)
        if self.count is not None and without_records:
            yield Fault(("count",), "found in a file without records; allowed: size")

    def _check_size(self) -> Iterator[Fault]:
        contents = self.records or (() if self.hex is None else (self.hex,))
        longest = max(map(len, contents), default=0)
        if self.size is not None and self.size < longest:
            yield Fault(("size",), f"found {self.size}; allowed: at least {longest}, what the content needs")
        if self.size is not None and self.records is not None and self.size > MOST_RECORD_BYTES:
            yield Fault(("size",), f"found {self.size}; allowed for a record: at most {MOST_RECORD_BYTES}")
        if self.count is not None and self.records is not None and self.count < len(self.records):
            yield Fault(("count",), f"found {self.count}; allowed: at least {len(self.records)}, those given")
