"""Plays the time of a scenario: what the BSD/A sends, in order."""

from __future__ import annotations

from collections.abc import Iterator

from card.lean import lean_dataclass
from host_tools.headend.bsda.slots import MediaSlot
from host_tools.headend.bsda.station import Bsda, SentMedia, SentStkm
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.schedule import slots


@lean_dataclass(frozen=True, slots=True)
class Sent:
    """What goes out at a moment (milliseconds of the broadcast), and of which service."""

    at: int
    service: str
    what: SentStkm | SentMedia


def play(scenario: Scenario, bsda: Bsda) -> Iterator[Sent]:
    """Yield everything that is broadcast. It never waits: whoever plays live waits for each moment.

    Raises `HeadendError` when no STKM can be made.
    """
    for slot in slots(scenario):
        made = bsda.media(slot) if isinstance(slot, MediaSlot) else bsda.stkm(slot)
        yield Sent(slot.at, slot.service.id, made)
