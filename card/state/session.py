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
    received: bytes


@dataclass(frozen=True, slots=True)
class Channel:
    """State of one open logical channel.

    `directory` and `file` are file paths; `application` is the name of the ADF that is the current application
    ("" when none was selected). `record` is the record pointer, 0 when not set. `pending` waits for GET RESPONSE,
    `outgoing` for retrieval in blocks (P1 A0 and 20), with the instruction it belongs to in `outgoing_ins`.
    """

    directory: str
    file: str = ""
    application: str = ""
    record: int = 0
    pending: bytes = b""
    pending_status: int = 0x9000
    incoming: IncomingObject | None = None
    outgoing: bytes = b""
    outgoing_ins: int = 0
    outgoing_started: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """All volatile state. `verified` holds the PINs verified since reset, named as in `PinTable`.

    `notes` keeps small volatile facts of the domain rules (for example what a parental PIN was given for).
    """

    channels: Mapping[int, Channel] = field(default_factory=dict)
    verified: frozenset[str] = frozenset()
    notes: Mapping[str, Any] = field(default_factory=dict)
