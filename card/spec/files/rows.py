"""The shape of a declared file: one frozen row per EF, read by personalisation, documentation and tests."""

from __future__ import annotations

from dataclasses import field
from enum import Enum, StrEnum

from card.lean import lean_dataclass
from card.spec.refs import Ref


class Structure(StrEnum):
    """Kinds of file (TS 102 221 clause 8.2)."""

    MF = "mf"
    DF = "df"
    ADF = "adf"
    TRANSPARENT = "transparent"
    LINEAR_FIXED = "linear-fixed"
    CYCLIC = "cyclic"
    BER_TLV = "ber-tlv"

    @property
    def is_directory(self) -> bool:
        """True for the MF, DFs and ADFs."""
        return self in (Structure.MF, Structure.DF, Structure.ADF)

    @property
    def has_records(self) -> bool:
        """True for linear fixed and cyclic files."""
        return self in (Structure.LINEAR_FIXED, Structure.CYCLIC)


class Right(Enum):
    """Whom an operation on a file is open to."""

    ALWAYS = "always"
    PIN = "PIN"
    PIN2 = "second PIN"
    ADM = "ADM"
    NEVER = "never"


@lean_dataclass(frozen=True, slots=True)
class Access:
    """Access conditions as the file tables of the specifications give them."""

    read: Right = Right.PIN
    update: Right = Right.ADM
    activate: Right = Right.ADM
    increase: Right = Right.NEVER


PIN_ADM = Access()
PIN_PIN = Access(update=Right.PIN)
ALWAYS_ADM = Access(read=Right.ALWAYS)
ALWAYS_NEVER = Access(read=Right.ALWAYS, update=Right.NEVER, activate=Right.NEVER)
ALWAYS_PIN = Access(read=Right.ALWAYS, update=Right.PIN)
ADM_ADM = Access(read=Right.ADM)
PIN_PIN2 = Access(update=Right.PIN2)


@lean_dataclass(frozen=True, slots=True)
class EfRow:
    """One elementary file.

    `size` is the file's in bytes, or one record's; `records` their number. `default` fills a new file, or each of its
    records, before FF padding. `service` is the service number that brings the file, 0 when it is mandatory; each of
    `further_services` brings it too.
    `examples` are pairs of content in hex and the value it stands for, where `codec` names the entry of
    `card.codec.ef.CODECS` that turns one into the other. A row with a `view` shows the content of another file, named
    by its path on the card (`ADF.USIM/6F07`), and is there only when that file is. What is in a `secret` file, a key or
    a code, is never shown (`card.codec.redaction`); a file without a row counts as one.
    """

    name: str
    fid: int
    structure: Structure
    size: int
    ref: Ref
    access: Access = PIN_ADM
    sfi: int = 0
    records: int = 0
    default: bytes = b""
    service: int = 0
    further_services: tuple[int, ...] = ()
    codec: str = ""
    examples: tuple[tuple[str, object], ...] = field(default=())
    view: str = ""
    secret: bool = False


@lean_dataclass(frozen=True, slots=True)
class DfRow:
    """One directory and what is in it.

    It is there when its `service` is offered (0: always), any of its files is, and the card has its `application`.
    """

    name: str
    fid: int
    ref: Ref
    files: tuple[EfRow, ...]
    service: int = 0
    directories: tuple[DfRow, ...] = ()
    application: str = ""
