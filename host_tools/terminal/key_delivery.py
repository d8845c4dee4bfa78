"""Delivers LTKMs when they are due: what a push from the network does while a broadcast runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from host_tools.terminal.ltkm_receipt import LtkmReceipt


class LtkmTaker(Protocol):
    """What delivery needs of the terminal middleware."""

    def deliver(self, ltkm: bytes, /) -> LtkmReceipt:
        """Give an LTKM to the card."""


@dataclass(frozen=True, slots=True)
class DueLtkm:
    """An LTKM and the moment it is due, in seconds on the clock of the capture.

    `mint` makes the message when it is due, so that counters and lifetimes are those of the moment.
    """

    at: float
    service: str
    mint: Callable[[], bytes]


class KeyDelivery:
    """Hands each LTKM to the card at its time, and what comes back to whoever checks it."""

    def __init__(
        self, middleware: LtkmTaker, plan: Iterable[DueLtkm], check: Callable[[bytes, LtkmReceipt], None]
    ) -> None:
        """Take the plan in any order; `check` gets each LTKM with its receipt and raises when it is wrong."""
        self._middleware = middleware
        self._waiting = deque(sorted(plan, key=lambda due: due.at))
        self._check = check
        self.delivered = 0

    @property
    def remaining(self) -> int:
        """Number of LTKMs whose time has not come."""
        return len(self._waiting)

    @property
    def next_due(self) -> float | None:
        """When the next LTKM is due, in seconds on the clock of the capture; None when all are delivered."""
        return self._waiting[0].at if self._waiting else None

    def deliver_until(self, moment: float) -> None:
        """Deliver everything that is due by `moment`.

        Raises `LinkError` and what `check` raises, which hears of a refusal.
        """
        while self._waiting and self._waiting[0].at <= moment:
            self.deliver_next()

    def deliver_next(self) -> bytes:
        """Deliver the LTKM that is due next, at once, and return it. Raises as `deliver_until`."""
        ltkm = self._waiting.popleft().mint()
        receipt = self._middleware.deliver(ltkm)
        self.delivered += 1
        self._check(ltkm, receipt)
        return ltkm
