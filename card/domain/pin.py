"""PINs and administrative keys: tries, blocking, unblocking (TS 102 221 clauses 9.4, 9.5, 11.1.9 to 11.1.13)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from card.crypto.secret import Secret
from card.errors import CardError
from card.lean import lean_dataclass
from card.state.nonvolatile import NonVolatile
from card.state.stored import StoredTable

PIN_LENGTH = 8  # a PIN is 4 to 8 digits, padded with FF to 8 bytes
APPLICATION_PIN = 0x01
APPLICATION_PINS = frozenset(range(0x01, 0x09))
"""Key references of the applications' PINs: all share the first, or each has its own (TS 102 221 table 9.3)."""
UNIVERSAL_PIN = 0x11
LOCAL = 0x80
"""References from here on belong to one application."""
_ADM_LOW_BITS = range(0x0A, 0x0F)  # 0A to 0E and 8A to 8E are administrative keys


class PinNotFound(CardError):
    """There is no PIN with this reference."""


class PinBlocked(CardError):
    """No tries are left."""


class PinDisabled(CardError):
    """The PIN is disabled and cannot be verified, or is not in the state the command needs."""


class PinWrong(CardError):
    """The comparison failed; `tries_left` says how often one may try again."""

    def __init__(self, tries_left: int) -> None:
        super().__init__(f"wrong PIN, {tries_left} tries left")
        self.tries_left = tries_left


@lean_dataclass(frozen=True, slots=True)
class StoredPin:
    """A PIN as stored: 8-byte values, tries left and allowed, and the same for its unblock code (PUK).

    `replaced_by` is the reference of the PIN that stands in while this one is disabled, 0 for none.
    """

    reference: int
    value: Secret
    tries_left: int
    max_tries: int
    enabled: bool = True
    puk: Secret | None = None
    puk_tries_left: int = 0
    puk_max_tries: int = 0
    replaced_by: int = 0


def is_administrative(reference: int) -> bool:
    """True for ADM1 to ADM10, which cannot be changed, disabled or unblocked here."""
    return reference & 0x7F in _ADM_LOW_BITS


def pin_name(reference: int, application: str) -> str:
    """Return the name under which a PIN is stored: global ones alone, local ones with their application."""
    return f"{application}:{reference:02X}" if reference >= LOCAL else f"{reference:02X}"


class PinTable:
    """All PINs of a card. Each check takes the try before it compares, so that cutting the power gains nothing."""

    def __init__(self, nv: NonVolatile) -> None:
        self._nv = nv
        self._records = StoredTable(nv, "pin/", StoredPin)

    def find(self, name: str) -> StoredPin:
        """Return a PIN. Raises `PinNotFound`."""
        record = self._records.get(name)
        if record is None:
            raise PinNotFound
        return record

    def add(self, application: str, record: StoredPin) -> None:
        """Store a PIN at personalisation."""
        self._records.put(pin_name(record.reference, application), record)

    def of_application(self, application: str) -> Iterator[StoredPin]:
        """Yield the PINs, without ADM keys, that matter in an application: the global ones and its own."""
        for name, record in self._records.items():
            local = ":" in name
            if not is_administrative(record.reference) and (not local or name.startswith(f"{application}:")):
                yield record

    def verify(self, name: str, value: bytes) -> None:
        """Compare. Raises `PinDisabled`, `PinBlocked` or `PinWrong`."""
        if not self.find(name).enabled:
            raise PinDisabled
        self._try_pin(name, value)

    def change(self, name: str, old: bytes, new: bytes) -> None:
        """Replace the value after comparing the old one; a disabled PIN cannot be changed."""
        if not self.find(name).enabled:
            raise PinDisabled
        record = self._try_pin(name, old)
        self._records.put(name, replace(record, value=Secret(new)))

    def set_enabled(self, name: str, value: bytes, *, enabled: bool, replaced_by: int = 0) -> None:
        """Enable or disable after comparing. Raises `PinDisabled` when the PIN is in that state already.

        `replaced_by` is the reference of the PIN that stands in for a disabled one from now on.
        """
        if self.find(name).enabled == enabled:
            raise PinDisabled
        record = self._try_pin(name, value)
        self._records.put(name, replace(record, enabled=enabled, replaced_by=replaced_by))

    def unblock(self, name: str, puk: bytes, new: bytes) -> None:
        """Set a new value after comparing the PUK; the PIN is enabled again and has all its tries."""
        record = self.find(name)
        if record.puk is None:
            raise PinNotFound
        if record.puk_tries_left == 0:
            raise PinBlocked
        taken = replace(record, puk_tries_left=record.puk_tries_left - 1)
        self._take_try(name, taken)
        if record.puk != Secret(puk):
            raise PinWrong(taken.puk_tries_left)
        fresh = replace(taken, value=Secret(new), tries_left=record.max_tries, enabled=True, replaced_by=0)
        self._records.put(name, replace(fresh, puk_tries_left=record.puk_max_tries))

    def _try_pin(self, name: str, value: bytes) -> StoredPin:
        """Take a try, compare, give all tries back. Returns the record as it then stands."""
        record = self.find(name)
        if record.tries_left == 0:
            raise PinBlocked
        taken = replace(record, tries_left=record.tries_left - 1)
        self._take_try(name, taken)
        if record.value != Secret(value):
            raise PinWrong(taken.tries_left)
        restored = replace(taken, tries_left=record.max_tries)
        self._records.put(name, restored)
        return restored

    def _take_try(self, name: str, record: StoredPin) -> None:
        self._records.put(name, record)
        self._nv.commit_now("a PIN try is spent before the comparison, TS 102 221 clause 11.1.9")
