"""In which order LTKMs go to one terminal, and what goes again when no answer comes.

Each LTKM is minted at the moment it is sent, as T grows with every message sent (TS 33.246 clause 6.4.3), and the next
waits for the answer to the one before.

* A plain MSK message goes again with a new T: to the card it is a new message, and the same key twice does no harm.
* An LTKM that credits tokens or sets a counter goes again as the same octets, or a card that got the first one would
  credit twice. While it waits nothing with a higher T may go out, a solicited pull neither, or the card could never
  take it. This is a choice for OMA BCAST, whose own text was not at hand.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from card.codec.mikey import MikeyMessage
from host_tools.headend.bsm.server import Bsm
from host_tools.headend.errors import HeadendError, VerificationError

_MOST_ORDERS = 1024


@dataclass(frozen=True, slots=True)
class Order:
    """One LTKM to be sent: what mints it, and whether the card must not act on it twice."""

    mint: Callable[[], bytes]
    credits: bool = False


@dataclass(frozen=True, slots=True)
class Outstanding:
    """An LTKM that waits for its answer. `token` stays the same however often it is sent."""

    ltkm: bytes = field(repr=False)
    credits: bool
    token: object = field(default_factory=object)


class LtkmSender:
    """What is on its way to the terminal behind one B-TID. Its owner has the clock and says when a timer is over."""

    def __init__(self, bsm: Bsm) -> None:
        """Take the BSM whose LTKMs these are."""
        self._bsm = bsm
        self._orders: deque[Order] = deque()
        self._waiting: Outstanding | None = None

    @property
    def outstanding(self) -> Outstanding | None:
        """The LTKM that waits for its answer, None when there is none."""
        return self._waiting

    def add(self, order: Order) -> None:
        """Put an LTKM behind those that wait. Raises `HeadendError` when too many do: none of them may be dropped."""
        if len(self._orders) >= _MOST_ORDERS:
            raise HeadendError(f"{_MOST_ORDERS} LTKMs wait for this terminal already")
        self._orders.append(order)

    def next(self) -> bytes | None:
        """Return the LTKM to send now; None when there is none, or when the one before waits for its answer."""
        if self._waiting is not None or not self._orders:
            return None
        order = self._orders.popleft()
        ltkm = order.mint()
        if MikeyMessage.decode(ltkm).header.verification_requested:
            self._waiting = Outstanding(ltkm, order.credits)
        return ltkm

    def again(self) -> bytes | None:
        """Return what goes out when no answer came in time; None when none is waited for. Raises `HeadendError`."""
        waiting = self._waiting
        if waiting is None:
            return None
        if not waiting.credits:
            self._waiting = waiting = replace(waiting, ltkm=self._bsm.renewed(waiting.ltkm))
        return waiting.ltkm

    def answered(self, verification: bytes) -> None:
        """Take the verification message. Raises `VerificationError` for a wrong one, or when nothing waits.

        After a wrong one the wait goes on. An answer to an earlier copy of a plain MSK message names an earlier T and
        counts as wrong: the terminal answers the later one too.
        """
        if self._waiting is None:
            raise VerificationError("no LTKM waits for a verification message")
        self._bsm.verify(self._waiting.ltkm, verification)
        self._waiting = None

    def give_up(self) -> None:
        """Wait no longer. If the LTKM still arrives after a later one, the card refuses it as replayed."""
        self._waiting = None
