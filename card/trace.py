"""What the card tells an observer. Every event prints as one line and never shows a key, a PIN or a TEK."""

from __future__ import annotations

from card.lean import lean_dataclass
from card.spec.status import describe

_SHOWN_BYTES = 24


@lean_dataclass(frozen=True, slots=True)
class ApduExchanged:
    """One command and its answer. `command_data` and `response_data` are None where they are secret."""

    name: str
    header: bytes
    command_data: bytes | None
    command_length: int
    response_data: bytes | None
    response_length: int
    sw: int

    def __str__(self) -> str:
        """Return e.g. `00A40004 SELECT [2] 3F00 -> [28] 62… 9000`; lengths are those of the data."""
        sent = _shown(self.command_data, self.command_length)
        received = _shown(self.response_data, self.response_length)
        return f"{self.header.hex().upper()} {self.name}{sent} ->{received} {describe(self.sw)}"


@lean_dataclass(frozen=True, slots=True)
class PowerEvent:
    """The card got power, lost it or was reset."""

    what: str

    def __str__(self) -> str:
        """Return the event in words."""
        return f"-- {self.what}"


@lean_dataclass(frozen=True, slots=True)
class InternalFault:
    """A defect of ours: a command ended in an exception nobody expected, was rolled back and answered 6F00.

    Only the exception's type and place are kept; its text might show data.
    """

    name: str
    exception: str
    location: str

    def __str__(self) -> str:
        """Return the fault in words."""
        return f"!! {self.name}: {self.exception} at {self.location}"


class NullTrace:
    """A sink that keeps nothing."""

    def emit(self, event: object, /) -> None:
        """Drop the event."""


def _shown(data: bytes | None, length: int) -> str:
    if not length:
        return ""
    if data is None:
        return f" [{length}] (secret)"
    text = data[:_SHOWN_BYTES].hex().upper()
    return f" [{length}] {text}{'…' if length > _SHOWN_BYTES else ''}"
