"""Delivers LTKMs beside a capture whose clock cannot say when they are due.

Captures come with times that are all 0, that run backwards, or that count from when some machine was switched on. An
LTKM is then delivered when the card refuses an STKM for the want of it, with all that were due before it.
"""

from __future__ import annotations

import math

from card.codec.mikey import MikeyMessage
from card.errors import DecodeError
from host_tools.terminal.bcast import Refusal
from host_tools.terminal.key_delivery import KeyDelivery
from host_tools.terminal.key_source import StkmView
from host_tools.terminal.purchase import BUYABLE

_OUT_OF_ORDER = 1.0  # seconds by which packets of two interfaces may be out of order under a good clock
_TOO_EARLY = 86_400.0  # seconds before the first LTKM: nobody listens that long before


class ClockedDelivery:
    """Delivers what is due as time goes by, and on demand where time cannot be trusted. Use as `Hooks` of a player."""

    def __init__(self, delivery: KeyDelivery) -> None:
        self._delivery = delivery
        first_due = delivery.next_due
        self._earliest = 0.0 if first_due is None else first_due - _TOO_EARLY
        self._newest = 0.0
        self._quiet_until = 0.0  # as long as time goes on until then, there is nothing to do
        self.is_clock_good = True
        """Whether the times so far can be those of a broadcast."""

    def on_time(self, moment: float) -> None:
        """Take the time of a datagram, in seconds since 1970. Raises as `KeyDelivery.deliver_until`."""
        if self._newest <= moment < self._quiet_until:
            self._newest = moment
            return
        if moment <= 0 or moment < self._earliest or moment < self._newest - _OUT_OF_ORDER:
            self.is_clock_good = False
        if moment > self._newest:
            self._newest = moment
        self._delivery.deliver_until(self._newest)
        following = self._delivery.next_due
        self._quiet_until = math.inf if following is None else following

    def on_refusal(self, view: StkmView, refusal: Refusal) -> bool:
        """Deliver up to the next LTKM of the key that was wanted; True when one came. Raises as `on_time`."""
        if self.is_clock_good or refusal.reason not in BUYABLE:
            return False
        while self._delivery.remaining:
            if _msk_id(self._delivery.deliver_next()) == view.long_term_key:
                return True
        return False


def _msk_id(ltkm: bytes) -> bytes | None:
    """Return key domain and MSK ID (7 bytes) of an LTKM, None where it names none."""
    try:
        ids = MikeyMessage.decode(ltkm).key_ids()
    except DecodeError:
        return None
    return ids.key_domain_id + ids.msk_id
