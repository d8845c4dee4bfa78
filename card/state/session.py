"""What the card forgets at reset: logical channels, selection, verified PINs, half-received and half-sent data.

All of it is one tree of frozen values. A command that fails leaves the old tree in place, which is the whole roll-back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

BASIC_CHANNEL = 0


@dataclass(frozen=True, slots=True)
class IncomingObject:
    """A data object arriving in blocks (TS 102 221 clause 10.1: command chaining with P1 80 and 00)."""

    ins: int
    context: int
    received: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Transfer:
    """A data object of a BER-TLV file on its way in (`incoming`) or out, where `position` is the next byte to send."""

    path: str
    incoming: bytes = field(default=b"", repr=False)
    outgoing: bytes = field(default=b"", repr=False)
    position: int = 0
    previous: int = 0


@dataclass(frozen=True, slots=True)
class Channel:
    """State of one open logical channel.

    `directory` and `file` are file paths; `application` is the name of the ADF that is the current application
    ("" when none was selected). `record` is the record pointer, 0 when not set. `pending` waits for GET RESPONSE,
    `outgoing` for retrieval in blocks (P1 A0 and 20), with the instruction it belongs to in `outgoing_ins`; both may
    be a key, so they stay out of the repr.
    """

    directory: str
    file: str = ""
    application: str = ""
    record: int = 0
    pending: bytes = field(default=b"", repr=False)
    pending_status: int = 0x9000
    incoming: IncomingObject | None = None
    outgoing: bytes = field(default=b"", repr=False)
    outgoing_ins: int = 0
    outgoing_started: bool = False
    transfer: Transfer | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """All volatile state. `verified` holds the PINs verified since reset, named as in `PinTable`.

    `notes` keeps small volatile facts of the domain rules (for example what a parental PIN was given for).
    """

    channels: Mapping[int, Channel] = field(default_factory=dict)
    verified: frozenset[str] = frozenset()
    notes: Mapping[str, Any] = field(default_factory=dict)
