"""SEKs that an operator takes up outside the schedule of a scenario.

BSM and BSD/A follow the same timetable; a roll-over out of turn is a line in both. The Key Numbers from `FIRST_ROLLED`
on are kept for such SEKs (ours), so that the keys of a BSM tell them from those of the schedule, also after it was
started again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from host_tools.headend.service_keys import KeyTerm

FIRST_ROLLED = 0xC000
LAST_ROLLED = 0xFFFF
_OF_A_SERVICE = 64


@dataclass(frozen=True, slots=True)
class Roll:
    """A SEK that is in use from crypto period `begins` to `ends`, both counted from 0 and included."""

    begins: int
    ends: int
    term: KeyTerm


class Rolls:
    """The roll-overs out of turn of all services; of each the newest are kept."""

    def __init__(self) -> None:
        """Begin without any."""
        self._of: dict[str, tuple[Roll, ...]] = {}

    def put(self, roll: Roll) -> None:
        """Take one more; the higher Key Number goes before, in whichever order they come. Its like is replaced."""
        others = (one for one in self.of(roll.term.service) if one.term.key_ids != roll.term.key_ids)
        ordered = sorted((*others, roll), key=lambda one: one.term.msk_id)
        self._of[roll.term.service] = tuple(ordered[-_OF_A_SERVICE:])

    def take(self, rolls: Iterable[Roll]) -> None:
        """Take those that are not here yet."""
        for roll in rolls:
            if roll not in self.of(roll.term.service):
                self.put(roll)

    def of(self, service: str) -> tuple[Roll, ...]:
        """Return those of a service, the newest last."""
        return self._of.get(service, ())

    def all(self) -> tuple[Roll, ...]:
        """Return those of all services."""
        return tuple(roll for rolls in self._of.values() for roll in rolls)

    def find(self, service: str, period: int) -> KeyTerm | None:
        """Return the SEK of a crypto period, None where the schedule holds."""
        rolls = self._of.get(service)
        if rolls is None:
            return None
        return next((roll.term for roll in reversed(rolls) if roll.begins <= period <= roll.ends), None)


def rolled_number(term: KeyTerm) -> int | None:
    """Return the Key Number of a SEK out of turn, None for one of the schedule."""
    number = int.from_bytes(term.msk_id[2:], "big")
    return number if number >= FIRST_ROLLED else None
