"""What a terminal does about a refusal: buy what the card lacks, or give the parental PIN, and feed the STKM again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from card.crypto.secret import Secret
from host_tools.terminal.bcast import Refusal, RefusalReason
from host_tools.terminal.card_application import CardApplication
from host_tools.terminal.key_source import StkmView
from host_tools.terminal.ltkm_receipt import LtkmReceipt

BUYABLE = frozenset(
    {
        RefusalReason.UNKNOWN_KEY,
        RefusalReason.CONDITIONS,
        RefusalReason.NOT_FRESH,
        RefusalReason.NO_CREDIT,
        RefusalReason.PLAYBACK_USED_UP,
        RefusalReason.TEK_COUNTER_USED_UP,
        RefusalReason.OUTSIDE_VALIDITY,
        RefusalReason.NO_PLAYBACK_RIGHT,
    }
)
"""Refusals that a purchase may cure."""
_MOST_PURCHASES = 16


class Shop(Protocol):
    """Who sells keys and tokens: a Token Purchase Request in, LTKMs out."""

    def purchase(self, view: StkmView, reason: RefusalReason, /) -> Iterable[bytes]:
        """Return LTKMs that cure the refusal of this STKM; none when nothing is sold for it."""


class Remedy(Protocol):
    """Something to try after a refusal."""

    def __call__(self, view: StkmView, refusal: Refusal, /) -> bool:
        """Try to cure the refusal; True when the STKM is worth feeding again."""


@dataclass(slots=True)
class PurchaseFlow:
    """Buys for refusals that a purchase may cure, at most `most` times, and delivers the LTKMs to the card.

    `deliver` gives an LTKM to the card; `check` sees each with its receipt and raises when it is wrong.
    """

    shop: Shop
    deliver: Callable[[bytes], LtkmReceipt]
    check: Callable[[bytes, LtkmReceipt], None] = lambda _ltkm, _receipt: None
    most: int = _MOST_PURCHASES
    made: int = 0

    def __call__(self, view: StkmView, refusal: Refusal) -> bool:
        """Buy; True when LTKMs came. Raises `LinkError` and what the shop and `check` raise."""
        if refusal.reason not in BUYABLE or self.made >= self.most:
            return False
        ltkms = tuple(self.shop.purchase(view, refusal.reason))
        self.made += bool(ltkms)
        for ltkm in ltkms:
            self.check(ltkm, self.deliver(ltkm))
        return bool(ltkms)


@dataclass(slots=True)
class ParentalPinEntry:
    """Gives the parental PIN when the card holds a TEK back for it. `ask` returns the PIN, or None to leave it."""

    application: CardApplication
    ask: Callable[[], Secret | None]

    def __call__(self, _view: StkmView, refusal: Refusal) -> bool:
        """Verify the PIN; True when it was right. Raises `PinWrongError`, `PinBlockedError`, `LinkError`."""
        if refusal.reason is not RefusalReason.PARENTAL_PIN_NEEDED or refusal.parental is None:
            return False
        pin = self.ask()
        if pin is None:
            return False
        self.application.verify_pin(pin, refusal.parental.pin_reference)
        return True


def first_that_helps(remedies: Sequence[Remedy]) -> Remedy:
    """Return a remedy that tries these in turn until one helps."""

    def remedy(view: StkmView, refusal: Refusal) -> bool:
        return any(one(view, refusal) for one in remedies)

    return remedy
