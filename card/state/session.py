"""What the card forgets at reset: logical channels, selection, half-received and half-sent data.

With PINs and notes (`card/commands/session.py`) it is one tree of frozen values. A command that fails leaves the old
tree in place, which is the whole roll-back.
"""

from __future__ import annotations

from dataclasses import field
from enum import Enum

from card.lean import lean_dataclass

BASIC_CHANNEL = 0


@lean_dataclass(frozen=True, slots=True)
class PendingResponse:
    """Response data that wait for GET RESPONSE, and the status word that goes with their last byte."""

    data: bytes = field(repr=False)
    sw: int


@lean_dataclass(frozen=True, slots=True)
class IncomingObject:
    """A data object arriving in blocks (TS 102 221 clause 10.1: command chaining with P1 80 and 00)."""

    ins: int
    context: int
    received: bytes = field(repr=False)


@lean_dataclass(frozen=True, slots=True)
class OutgoingObject:
    """What is left of a response object fetched in blocks (P1 A0 and 20); `started` once a block was taken."""

    ins: int
    data: bytes = field(repr=False)
    started: bool = False


@lean_dataclass(frozen=True, slots=True)
class Transfer:
    """A data object of a BER-TLV file on its way in (`incoming`) or out, where `position` is the next byte to send."""

    path: str
    incoming: bytes = field(default=b"", repr=False)
    outgoing: bytes = field(default=b"", repr=False)
    position: int = 0
    previous: int = 0


Unfinished = PendingResponse | IncomingObject | OutgoingObject
"""What a command left half done: its bytes may be a key, so they stay out of the repr."""


@lean_dataclass(frozen=True, slots=True)
class Channel:
    """State of one open logical channel.

    `directory` and `file` are file paths; `application` is the name of the ADF that is the current application
    ("" when none was selected). `record` is the record pointer, 0 when not set. `unfinished` is what the next command
    may continue; any other command ends it. `transfer` belongs to the current file and lasts until another is selected.
    """

    directory: str
    file: str = ""
    application: str = ""
    record: int = 0
    unfinished: Unfinished | None = None
    transfer: Transfer | None = None

    def leaving(self, unfinished: Unfinished | None) -> Channel:
        """Return the channel with this business half done, or none."""
        # Written out: it happens with every STKM, and dataclasses.replace takes three times as long.
        return Channel(self.directory, self.file, self.application, self.record, unfinished, self.transfer)


class Generation(Enum):
    """Which kind of session the terminal has begun since reset; the one excludes the other (TS 31.101 clause 4.1)."""

    OPEN = "neither"
    GSM = "GSM"
    USIM = "USIM"
