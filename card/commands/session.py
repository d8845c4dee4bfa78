"""All volatile state of a card: the channels, the PINs verified, and what the commands note until reset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from card.domain.cat.engine import CatState
from card.domain.secure_channel.scp03 import Scp03Session
from card.domain.secure_channel.state import NO_CHANNELS, SacState
from card.lean import lean_dataclass
from card.state.session import Channel, Generation, Unfinished

OpenBusiness = Mapping[int, Unfinished]
"""What was begun inside a protected channel and is not done, by logical channel."""


@lean_dataclass(frozen=True, slots=True)
class Scp03State:
    """The one SCP03 session of the card: the logical channel it runs on, and what was begun in it."""

    session: Scp03Session
    channel: int
    business: OpenBusiness


@lean_dataclass(frozen=True, slots=True)
class Notes:
    """What the commands keep until reset, beside channels and PINs.

    `cat` is the proactive session, None before TERMINAL PROFILE. `capabilities` are the objects of TERMINAL CAPABILITY
    by tag. `parental_service` is the key group (5 bytes) that the parental PIN was given for. `bcmcs_times` are the
    times that the applications learnt from BCMCS messages, by application name.
    """

    cat: CatState | None = None
    capabilities: Mapping[int, bytes] = field(default_factory=dict)
    parental_service: bytes | None = None
    secure_channels: SacState = NO_CHANNELS
    scp03: Scp03State | None = None
    bcmcs_times: Mapping[str, int] = field(default_factory=dict)


NO_NOTES = Notes()


@lean_dataclass(frozen=True, slots=True)
class Session:
    """All volatile state. `verified` holds the PINs verified since reset, named as in `PinTable`."""

    channels: Mapping[int, Channel] = field(default_factory=dict)
    verified: frozenset[str] = frozenset()
    notes: Notes = NO_NOTES
    generation: Generation = Generation.OPEN
