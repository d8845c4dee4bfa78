"""What goes out next: packets that are made shortly before their time. It knows no clock and opens nothing."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Iterator

from host_tools.content.errors import MediaError
from host_tools.headend.bsda.slots import MediaSlot, StkmSlot
from host_tools.headend.bsda.station import Bsda
from host_tools.headend.errors import HeadendError
from host_tools.headend.scenario.driver import Sent

_log = logging.getLogger(__name__)
Slots = Iterator[StkmSlot | MediaSlot]


class SendQueue:
    """Packets of a BSD/A in the order of their slots.

    `missing` counts what nobody could make in time, `skipped` slots that were over before they were made, as after the
    computer stood still; both by service and kind (media or stkm).
    """

    def __init__(self, slots: Slots, bsda: Bsda) -> None:
        """Take what is sent when, and who makes it."""
        self._slots = slots
        self._bsda = bsda
        self._ready: deque[Sent] = deque()
        self._following = next(slots, None)
        self.missing: Counter[tuple[str, str]] = Counter()
        self.skipped: Counter[tuple[str, str]] = Counter()

    @property
    def next_at(self) -> int | None:
        """When the next packet is due; None at the end of the broadcast."""
        if self._ready:
            return self._ready[0].at
        return None if self._following is None else self._following.at

    def prepare(self, until: float, over: float, most: int) -> None:
        """Make packets that are due up to a moment, at most so many; those from before `over` are skipped."""
        made = 0
        while self._following is not None and self._following.at <= until and made < most:
            slot, self._following = self._following, next(self._slots, None)
            made += 1
            if slot.at < over:
                self.skipped[_named(slot)] += 1
            else:
                self._make(slot)

    def take(self, now: float) -> Iterator[Sent]:
        """Yield what is due, in order, and forget it."""
        while self._ready and self._ready[0].at <= now:
            yield self._ready.popleft()

    def _make(self, slot: StkmSlot | MediaSlot) -> None:
        try:
            what = self._bsda.stkm(slot) if isinstance(slot, StkmSlot) else self._bsda.media(slot)
        except (HeadendError, MediaError) as error:
            self.missing[_named(slot)] += 1
            _log.info("%s has nothing for %d ms: %s", slot.service.id, slot.at, error)
            return
        self._ready.append(Sent(slot.at, slot.service.id, what))


def _named(slot: StkmSlot | MediaSlot) -> tuple[str, str]:
    return slot.service.id, "stkm" if isinstance(slot, StkmSlot) else "media"
