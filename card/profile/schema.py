"""The card profile: all that a card is personalised from.

Every field is one row: its name is the key in the TOML file, its annotation says what it may hold and how
that is parsed, its default what it is when absent. `docs/user/profiles.md` explains the fields.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Self

from card.profile import loader
from card.profile.bcast import DEFAULT_BCAST, BcastProfile
from card.profile.cat import NO_TOOLKIT, CatProfile
from card.profile.csim import CsimProfile
from card.profile.fields import ListOf, Table, parse_hex
from card.profile.files import (
    MOST_FILES,
    AccessCondition,
    AccessProfile,
    EfPath,
    FileProfile,
    Root,
    Structure,
)
from card.profile.isim import IsimProfile
from card.profile.loader import Fault
from card.profile.pins import AdmProfile, PinProfile, Pins
from card.profile.sac import SacProfile, Scp03Profile, SharedSecret
from card.profile.usim import Algorithm, Plmn, ServicesProfile, SqnProfile, UsimProfile
from card.spec.services import NOT_BESIDE_ISIM
from card.tables.kinds import FLAG, choice, integer, matching, parsed, printable

__all__ = [
    "AccessCondition",
    "AccessProfile",
    "AdmProfile",
    "Algorithm",
    "BcastProfile",
    "CardProfile",
    "CatProfile",
    "CsimProfile",
    "EfPath",
    "FileProfile",
    "IsimProfile",
    "MbmsProfile",
    "PinProfile",
    "Pins",
    "Plmn",
    "Root",
    "SacProfile",
    "Scp03Profile",
    "ServicesProfile",
    "SharedSecret",
    "SqnProfile",
    "Structure",
    "Transport",
    "UsimProfile",
    "demo_path",
]


class Transport(Enum):
    """The transmission protocol that the ATR offers first."""

    T0 = "T=0"
    T1 = "T=1"


def _parse_atr(text: str) -> bytes:
    atr = parse_hex(text)
    if not 2 <= len(atr) <= 33 or atr[0] not in (0x3B, 0x3F):
        raise ValueError("not an ATR")
    return atr


NAME = printable(1, 64)
ICCID = matching(r"[0-9]{18,20}", "text of 18 to 20 decimal digits")
ATR = parsed("hex digits for 2 to 33 bytes beginning 3B or 3F", _parse_atr)
RECORDS = integer(1, 254)


@dataclass(frozen=True, slots=True)
class MbmsProfile:
    """Records of EF_MSK, EF_MUK and EF_GBANL (TS 31.102 clauses 4.2.80, 4.2.81 and 4.2.83)."""

    msk_groups: Annotated[int, RECORDS] = 16
    muk_records: Annotated[int, RECORDS] = 8
    naf_keys: Annotated[int, RECORDS] = 8


@dataclass(frozen=True, slots=True)
class CardProfile:
    """A whole card. Keys and codes are wrapped in `Secret`; numbers that people read or dial are text."""

    name: Annotated[str, NAME]
    iccid: Annotated[str, ICCID]
    pins: Annotated[Pins, Table(Pins)]
    usim: Annotated[UsimProfile, Table(UsimProfile)]
    transport: Annotated[Transport, choice(Transport)] = Transport.T0
    atr: Annotated[bytes | None, ATR] = None
    mbms: Annotated[MbmsProfile, Table(MbmsProfile)] = MbmsProfile()
    files: Annotated[tuple[FileProfile, ...], ListOf(Table(FileProfile), MOST_FILES)] = ()
    isim: Annotated[IsimProfile | None, Table(IsimProfile)] = None
    csim: Annotated[CsimProfile | None, Table(CsimProfile)] = None
    bcast: Annotated[BcastProfile, Table(BcastProfile)] = DEFAULT_BCAST
    cat: Annotated[CatProfile, Table(CatProfile)] = NO_TOOLKIT
    sac: Annotated[SacProfile | None, Table(SacProfile)] = None
    pins_in_every_fcp: Annotated[bool, FLAG] = False

    @property
    def is_multi_verification(self) -> bool:
        """True when each application has a PIN of its own (TS 102 221 clause 9.1)."""
        return any(part.pin1 is not None for part in (self.isim, self.csim) if part is not None)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read the profile file at `path`. Raises `ProfileError`, which tells every problem with its line."""
        return loader.load(path, cls)

    @classmethod
    def parse(cls, text: str, name: str = "profile") -> Self:
        """Read the text of a profile; `name` stands for the file in messages. Raises `ProfileError`."""
        return loader.parse(text, name, cls)

    @classmethod
    def demo(cls, name: str = "usim") -> Self:
        """Return a profile that ships with the package (test keys only), by one of the names in `shipped`."""
        return cls.load(demo_path(name))

    @staticmethod
    def shipped() -> tuple[str, ...]:
        """Return the names of the profiles that ship with the package."""
        return tuple(sorted(path.stem for path in demo_path().parent.glob("*.toml")))

    def check(self) -> Iterator[Fault]:
        """Yield what does not fit together: two entries for one file, PINs that are missing, services."""
        yield from self._check_pins()
        yield from self._check_services()
        seen: set[EfPath] = set()
        for position, file in enumerate(self.files):
            if file.path in seen:
                yield Fault(("files", position, "path"), f"found {file.path} again; allowed: once")
            seen.add(file.path)

    def _check_pins(self) -> Iterator[Fault]:
        """Yield the PINs that a multi-verification card lacks, and a second PIN without the first."""
        for name, part in (("isim", self.isim), ("csim", self.csim)):
            if part is None or part.pin1 is not None:
                continue
            if self.is_multi_verification:
                yield Fault((name, "pin1"), "missing beside the PIN of another application; allowed: one for each")
            elif part.pin2 is not None:
                yield Fault((name, "pin2"), "found without pin1; allowed: beside a pin1 of the application")
        if self.is_multi_verification and self.pins.universal is None:
            yield Fault(("pins", "universal"), "missing where each application has its PIN (TS 31.101 clause 9.6)")

    def _check_services(self) -> Iterator[Fault]:
        """Yield the services that TS 31.102 clause 4.2.8 does not allow beside an ISIM."""
        for number in sorted(set(self.usim.services.extra) & NOT_BESIDE_ISIM) if self.isim is not None else ():
            text = f"found {number}; allowed: not {', '.join(map(str, sorted(NOT_BESIDE_ISIM)))} beside an ISIM"
            yield Fault(("usim", "services", "extra"), text)


def demo_path(name: str = "usim") -> Path:
    """Return where the profile `name` that ships with the package is, to load it or to copy and edit it."""
    return Path(__file__).parent / "demo" / f"{name}.toml"
