"""Orders of a web shop that knows no SRK (seed 002, clause 5.4.7.2.10): sold now, delivered on a registration.

The way of an order is that of the seed. The shop says for whom and what (1, 2); the BSM notes the sale and sends the
trigger (3); the terminal registers, and shows by that who it is (4 to 8); what was sold is owed to it and goes out
(10); the shop asks how far it is (9, 12). "Delivered" needs the acknowledgement of each LTKM that the registration
brought; where one was given up it stays "sent". What passes between shop and BSM is out of OMA's scope, and ours.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol

from host_tools.headend.bsm.books import Outbox, Records
from host_tools.headend.bsm.provisioning.sales import Sales
from host_tools.headend.catalogue.items import CatalogueItem
from host_tools.headend.errors import HeadendError

MOST_ORDERS = 64
"""Of one subscriber that are remembered; the oldest gives way."""
_KIND = "shop order"


class Stage(Enum):
    """How far an order is; the value is the word for it."""

    ORDERED = "ordered"
    TRIGGERED = "triggered"
    AUTHENTICATED = "authenticated"
    SENT = "sent"
    DELIVERED = "delivered"


@dataclass(frozen=True, slots=True)
class ShopOrder:
    """One order: its name, the items (serviceIDs), the stage; `awaited` LTKMs are not acknowledged yet."""

    name: str
    items: tuple[str, ...]
    stage: Stage
    number: int
    awaited: int = 0

    @property
    def is_open(self) -> bool:
        """Whether anything may still change."""
        return self.stage is not Stage.DELIVERED


class TriggerSender(Protocol):
    """Sends Smartcard Profile Triggers."""

    def send(self, identity: str, items: Sequence[CatalogueItem], /) -> bool:
        """Send a trigger for items; False where nobody knows the address of the terminal."""


class ShopOrders:
    """The orders of all subscribers. Each step belongs to the transaction of whoever calls."""

    def __init__(self, sales: Sales, records: Records, outbox: Outbox) -> None:
        """Take what sells, where orders are noted, and what is on its way."""
        self._sales = sales
        self._records = records
        self._outbox = outbox

    def order(self, identity: str, items: Sequence[CatalogueItem], name: str, sender: TriggerSender) -> ShopOrder:
        """Sell items to a subscriber under a name; the same name again acts once. Raises `SaleRefusedError`."""
        before = self.find(identity, name)
        if before is not None:
            return before
        for item in items:
            sold = self._sales.buy(identity, item, name)
            self._sales.owe(identity, name, item.service_id, sold.orders)
        stage = Stage.TRIGGERED if sender.send(identity, items) else Stage.ORDERED
        mine = self._all(identity)
        for oldest in sorted(mine, key=lambda one: one.number)[: len(mine) - MOST_ORDERS + 1]:
            self._records.drop(_KIND, identity, oldest.name)
        number = 1 + max((one.number for one in mine), default=0)
        return self._put(identity, ShopOrder(name, tuple(item.service_id for item in items), stage, number))

    def find(self, identity: str, name: str) -> ShopOrder | None:
        """Return an order as it is now."""
        stored = self._records.find(_KIND, identity, name)
        return None if stored is None else self._now(identity, _read(name, stored))

    def trigger_again(self, identity: str, name: str, sender: TriggerSender) -> ShopOrder | None:
        """Send the trigger once more, where the terminal has not registered yet."""
        found = self.find(identity, name)
        if found is None or found.stage not in (Stage.ORDERED, Stage.TRIGGERED):
            return found
        items = [item for one in found.items if (item := self._sales.catalogue.find(one)) is not None]
        if not sender.send(identity, items):
            return found
        return self._put(identity, replace(found, stage=Stage.TRIGGERED))

    def registered(self, identity: str, service_ids: Iterable[str], ltkms: int) -> None:
        """Hear that a subscriber has registered, and how many LTKMs follow."""
        wanted = frozenset(service_ids)
        for one in self._all(identity):
            if one.is_open and wanted.issuperset(one.items):
                self._put(identity, replace(one, stage=Stage.AUTHENTICATED, awaited=max(ltkms, 1)))

    def acknowledged(self, identity: str) -> None:
        """Hear that an LTKM was acknowledged."""
        for one in self._all(identity):
            if one.stage is Stage.AUTHENTICATED and one.awaited:
                stage = Stage.DELIVERED if one.awaited == 1 else one.stage
                self._put(identity, replace(one, stage=stage, awaited=one.awaited - 1))

    def _now(self, identity: str, order: ShopOrder) -> ShopOrder:
        """Return the order with the stage that what is on its way makes of it."""
        if order.stage is not Stage.AUTHENTICATED:
            return order
        waits = bool(self._outbox.orders(identity)) and not self._outbox.outstanding_of(identity)
        return order if waits else replace(order, stage=Stage.SENT)

    def _all(self, identity: str) -> list[ShopOrder]:
        return [_read(name, stored) for name, stored in self._records.of(_KIND, identity).items()]

    def _put(self, identity: str, order: ShopOrder) -> ShopOrder:
        stored = json.dumps([order.items, order.stage.value, order.number, order.awaited]).encode()
        self._records.put(_KIND, identity, order.name, stored)
        return order


def _read(name: str, stored: bytes) -> ShopOrder:
    """Read a record. Raises `HeadendError`: it was written here, so it was tampered with."""
    try:
        items, stage, number, awaited = json.loads(stored)
        return ShopOrder(name, tuple(items), Stage(stage), int(number), int(awaited))
    except (ValueError, TypeError) as error:
        raise HeadendError(f"an order of the shop cannot be read ({type(error).__name__})") from None
