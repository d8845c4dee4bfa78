"""Parental control: the level granted for each type of rating, and the PIN that lifts it for one service at a time.

Which end of a rating system is the stricter depends on its type (`card.spec.bcast.ratings`, OMNA).

provisional: message layout, unrated values and what makes a PIN lapse (docs/spec/bcast.md).
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from typing import Protocol

from card.codec.bcast import ParentalControl, Rating
from card.crypto.secret import Secret
from card.domain.pin import PIN_LENGTH, PinNotFound, PinTable, StoredPin, pin_name
from card.errors import DecodeError
from card.lean import lean_dataclass
from card.spec.bcast.tables import BcastTables
from card.state.nonvolatile import NonVolatile
from card.state.stored import StoredTable

_NEW_PIN_TRIES = 3
_SHORTEST_PIN = 4


class PinState(Enum):
    """What the parental PIN says to a service whose rating is too high."""

    ABSENT = "there is no such PIN"
    BLOCKED = "no tries left"
    CLOSED = "not verified"
    OPEN = "disabled, or given for this service"
    GIVEN = "verified, and not used for a service yet"


class PinGate(Protocol):
    """The parental PIN in the present session. A verification counts for the service (key group) it was used for."""

    def state(self, group: bytes) -> PinState:
        """Return what the PIN says to a key group (5 bytes)."""

    def enter(self, group: bytes, *, with_pin: bool) -> None:
        """A TEK of a group is given out: verifications for other groups lapse; `with_pin` uses the one given."""

    def lapse(self, group: bytes | None = None) -> None:
        """Forget the verification, for one group or whatever it was used for."""


@lean_dataclass(frozen=True, slots=True)
class Hold:
    """Why a TEK is held back: the rating, and the level granted for its type."""

    rating: Rating
    level: int


@lean_dataclass(frozen=True, slots=True)
class StoredLevel:
    """The level granted for one type of rating (both one byte)."""

    type: int
    level: int


class Parental:
    """Levels and PIN of one application."""

    def __init__(self, nv: NonVolatile, application: str, tables: BcastTables) -> None:
        self._levels = StoredTable(nv, f"parental/{application}/", StoredLevel)
        self._pins = PinTable(nv)
        self._tables = tables
        self.pin_name = pin_name(tables.pin_reference, application)
        self._application = application

    @property
    def pin_reference(self) -> int:
        """Key reference of the parental PIN, a second application PIN (81 to 88)."""
        return self._tables.pin_reference

    def level(self, rating_type: int) -> int:
        """Return the level granted for a type; without any, nothing is held back."""
        record = self._levels.get(f"{rating_type:02X}")
        return self._tables.no_level(rating_type) if record is None else record.level

    def judge(self, ratings: tuple[Rating, ...]) -> Hold | None:
        """Return the first rating that the levels hold back, or None."""
        for rating in ratings:
            record = self._levels.get(f"{rating.type:02X}")
            if record is not None and self._tables.is_too_strict(rating.type, rating.value, record.level):
                return Hold(rating, record.level)
        return None

    def apply(self, control: ParentalControl, pincode: Secret | None) -> None:
        """Carry out a parental control message. Raises `DecodeError` for a PINCODE that is no PIN."""
        if control.level is not None:
            kind, level = control.level
            self._levels.put(f"{kind:02X}", StoredLevel(kind, level))
        if control.has_pincode:
            self._set_pin(_checked(pincode))
        if control.unblock:
            self._unblock()

    def _set_pin(self, value: Secret) -> None:
        try:
            # A PIN the user had disabled counts again: the operator who sets one wants the levels to hold.
            record = replace(self._pins.find(self.pin_name), value=value, enabled=True, replaced_by=0)
        except PinNotFound:
            record = StoredPin(self.pin_reference, value, _NEW_PIN_TRIES, _NEW_PIN_TRIES)
        self._pins.add(self._application, record)

    def _unblock(self) -> None:
        try:
            record = self._pins.find(self.pin_name)
        except PinNotFound:
            return
        self._pins.add(self._application, replace(record, tries_left=record.max_tries))


def _checked(pincode: Secret | None) -> Secret:
    """Return a PINCODE of 4 to 8 digits, ASCII, padded with FF to 8 bytes (TS 102 221 clause 9.5.1)."""
    value = b"" if pincode is None else pincode.reveal()
    digits = value.rstrip(b"\xff")
    if pincode is None or len(value) != PIN_LENGTH or len(digits) < _SHORTEST_PIN or not digits.isdigit():
        raise DecodeError("parental control: a PINCODE of 4 to 8 digits in 8 bytes is wanted")
    return pincode
