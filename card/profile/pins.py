"""The PINs, PUKs and administrative codes of a card profile (TS 102 221 clause 9.5.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from card.crypto.secret import Secret
from card.profile.fields import Table, secret_code
from card.tables.kinds import FLAG, integer

TRIES = integer(1, 15)  # the status word 63CX has four bits for the tries that are left


@dataclass(frozen=True, slots=True)
class PinProfile:
    """A PIN and the PUK that unblocks it, both as the eight bytes VERIFY carries.

    A PIN without PUK cannot be unblocked.
    """

    value: Annotated[Secret, secret_code(4, 8)]
    tries: Annotated[int, TRIES] = 3
    puk: Annotated[Secret | None, secret_code(8, 8)] = None
    puk_tries: Annotated[int, TRIES] = 10
    enabled: Annotated[bool, FLAG] = True


@dataclass(frozen=True, slots=True)
class AdmProfile:
    """An administrative code, as the eight bytes VERIFY carries."""

    value: Annotated[Secret, secret_code(4, 8, hex_too=True)]
    tries: Annotated[int, TRIES] = 10


_PIN = Table(PinProfile)
_ADM = Table(AdmProfile)

PIN_REFERENCES: Mapping[str, int] = {"pin1": 0x01, "pin2": 0x81, "universal": 0x11}
"""Key references of the PINs, for the first (here the only) application on the card."""
ADM_REFERENCES: Mapping[str, int] = {
    f"adm{number}": (0x0A if number <= 5 else 0x8A - 5) + number - 1 for number in range(1, 11)
}
"""Key references of ADM1 to ADM5 (0A to 0E) and ADM6 to ADM10 (8A to 8E)."""


@dataclass(frozen=True, slots=True)
class Pins:
    """All codes of the card. `pin2` is the second application PIN (local, key reference 81)."""

    pin1: Annotated[PinProfile, _PIN]
    pin2: Annotated[PinProfile | None, _PIN] = None
    universal: Annotated[PinProfile | None, _PIN] = None
    adm1: Annotated[AdmProfile | None, _ADM] = None
    adm2: Annotated[AdmProfile | None, _ADM] = None
    adm3: Annotated[AdmProfile | None, _ADM] = None
    adm4: Annotated[AdmProfile | None, _ADM] = None
    adm5: Annotated[AdmProfile | None, _ADM] = None
    adm6: Annotated[AdmProfile | None, _ADM] = None
    adm7: Annotated[AdmProfile | None, _ADM] = None
    adm8: Annotated[AdmProfile | None, _ADM] = None
    adm9: Annotated[AdmProfile | None, _ADM] = None
    adm10: Annotated[AdmProfile | None, _ADM] = None

    def pins_by_reference(self) -> dict[int, PinProfile]:
        """Return the PINs that the profile has, by key reference."""
        found = ((number, getattr(self, name)) for name, number in PIN_REFERENCES.items())
        return {number: pin for number, pin in found if pin is not None}

    def adms_by_reference(self) -> dict[int, AdmProfile]:
        """Return the administrative codes that the profile has, by key reference."""
        found = ((number, getattr(self, name)) for name, number in ADM_REFERENCES.items())
        return {number: adm for number, adm in found if adm is not None}
