"""Orders of a shop that knows no SRK: sold when the terminal has shown who it is (OMA BCAST, clause 5.4.7.2.10).

The shop orders for a subscriber; the BSM sends its terminal a Smartcard Profile Trigger; the terminal registers for
what it names, under the digest; with that the sale is made, and its LTKMs go out. The shop asks how far it has come.
The trigger is signed by nobody: it gives the right to register and to nothing else.

An order for which nobody registers within a day has failed (ours). "Delivered" means that every LTKM of the order was
acknowledged by the card, "sent" that all of them went out.

Whoever has the name of an order sees it, and it is part of an address: so it is written down by its hash, and by itself
only within the record, which a store with a key file encrypts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from hashlib import sha256

from card.errors import DecodeError
from host_tools.exchange.messages.provisioning import ProvisioningStatus, PurchaseItem
from host_tools.exchange.messages.trigger import Trigger
from host_tools.headend.bsm.books import Outbox, Outstanding, Records
from host_tools.headend.bsm.orders import Order
from host_tools.headend.bsm.provisioning.sales import SaleRefusedError, Sales
from host_tools.headend.clock import NetworkClock
from host_tools.headend.errors import HeadendError

ORDER_LIFE = 24 * 3600.0
"""Seconds within which the terminal must register for an order; ours."""
MOST_ORDERS = 256
"""How many orders of one subscriber are kept; the oldest that has ended, or was sold over a day ago, gives way."""
_KIND, _OWNER, _WHO = "shop order", "shop order of", "who"


class OrderState(Enum):
    """How far an order has come."""

    ORDERED = "ordered"
    TRIGGERED = "triggered"
    REGISTERED = "registered"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"


OPEN = (OrderState.ORDERED, OrderState.TRIGGERED)
"""States in which the terminal has yet to register."""
ENDED = (OrderState.DELIVERED, OrderState.FAILED)


@dataclass(frozen=True, slots=True)
class ShopOrder:
    """An order: its name, the items (serviceIDs), its state, when it was made (Unix time).

    `left` are the LTKMs that the card has not acknowledged, as they are stored.
    """

    order_id: str
    service_ids: tuple[str, ...]
    state: OrderState
    at: float
    left: tuple[str, ...] = field(default=(), repr=False)


class ShopOrders:
    """The orders of all subscribers. Each step is to be within a transaction."""

    def __init__(self, sales: Sales, records: Records, outbox: Outbox, clock: NetworkClock) -> None:
        """Take what sells, where orders are written down, what is on its way, and the time."""
        self._sales = sales
        self._records = records
        self._outbox = outbox
        self._clock = clock

    def order(self, identity: str, items: Iterable[PurchaseItem], order_id: str) -> ShopOrder:
        """Take an order for a subscriber; one of the same name is returned as it is.

        Raises `SaleRefusedError` for an item that is not sold, `HeadendError` when too many orders are open.
        """
        before = self.find(identity, order_id)
        if before is not None:
            return before
        wanted: list[str] = []
        for asked in items:
            item = self._sales.catalogue.find_reference(asked)
            if item is None or item.included:
                raise SaleRefusedError(ProvisioningStatus.ITEM_UNKNOWN, f"{asked.global_id[:80]} is not for sale")
            wanted.append(item.service_id)
        if not wanted:
            raise SaleRefusedError(ProvisioningStatus.MALFORMED_MESSAGE, "an order names one item at least")
        self._make_room(identity)
        made = ShopOrder(order_id, tuple(dict.fromkeys(wanted)), OrderState.ORDERED, self._now)
        self._records.put(_OWNER, _hashed(order_id), _WHO, identity.encode())
        return self._keep(identity, made)

    def trigger(self, identity: str, order_id: str, bsm_uri: str) -> Trigger:
        """Return the trigger for an order that is open, which counts as sent. Raises `HeadendError` for another."""
        found = self.find(identity, order_id)
        if found is None or found.state not in OPEN:
            raise HeadendError("there is no open order of this name")
        self._keep(identity, replace(found, state=OrderState.TRIGGERED))
        items = [item for item in map(self._sales.catalogue.find, found.service_ids) if item is not None]
        return Trigger(order_id, bsm_uri, tuple(item.reference for item in items))

    def registering(self, identity: str, service_ids: Sequence[str]) -> None:
        """Hear what a subscriber registers for: open orders for these items are sold now, each as a whole.

        What is not sold with that gives no right to register: one that has failed, and one of whose items the terminal
        left some out.
        """
        for one in self.of(identity):
            if one.state in OPEN and all(item in service_ids for item in one.service_ids):
                self._keep(identity, self._sold(identity, one))

    def acknowledged(self, outstanding: Outstanding) -> None:
        """Hear that a card has acknowledged an LTKM."""
        found = _stored(outstanding.order)
        for one in self.of(outstanding.identity):
            if one.state is OrderState.REGISTERED and found in one.left:
                left = tuple(other for other in one.left if other != found)
                state = one.state if left else OrderState.DELIVERED
                self._keep(outstanding.identity, replace(one, left=left, state=state))

    def find(self, identity: str, order_id: str) -> ShopOrder | None:
        """Return an order as it stands now, None where there is none."""
        stored = self._records.find(_KIND, identity, _hashed(order_id))
        return None if stored is None else self._current(identity, _read(_hashed(order_id), stored))

    def owner(self, order_id: str) -> str | None:
        """Return whose order this is, by its name, which nobody else can guess; None for nobody's."""
        found = self._records.find(_OWNER, _hashed(order_id), _WHO)
        return None if found is None else found.decode()

    def of(self, identity: str) -> tuple[ShopOrder, ...]:
        """Return the orders of a subscriber, the oldest first, each in the state that is written down."""
        found = [_read(name, stored) for name, stored in self._records.of(_KIND, identity).items()]
        return tuple(sorted(map(self._aged, found), key=lambda one: (one.at, one.order_id)))

    @property
    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _sold(self, identity: str, one: ShopOrder) -> ShopOrder:
        items = [item for item in map(self._sales.catalogue.find, one.service_ids) if item is not None]
        try:
            self._sales.require_for_sale(identity, items)
        except SaleRefusedError:
            return replace(one, state=OrderState.FAILED)
        orders: list[Order] = []
        for item in items:
            sold = self._sales.buy(identity, item, one.order_id)
            self._sales.owe(identity, one.order_id, item.service_id, sold.orders)
            orders += sold.orders
        left = tuple(map(_stored, orders))
        return replace(one, state=OrderState.REGISTERED if left else OrderState.DELIVERED, left=left)

    def _current(self, identity: str, one: ShopOrder) -> ShopOrder:
        """Return an order with what the outbox says: sent, when none of its LTKMs waits to be sent."""
        one = self._aged(one)
        if one.state is not OrderState.REGISTERED:
            return one
        waiting = [_stored(order) for _, order in self._outbox.orders(identity)]
        owed = [_stored(debt.ltkm) for debt in self._sales.ledger.owed(identity)]
        if any(left in waiting or left in owed for left in one.left):
            return one
        return replace(one, state=OrderState.SENT)

    def _aged(self, one: ShopOrder) -> ShopOrder:
        over = one.state in OPEN and self._now - one.at >= ORDER_LIFE
        return replace(one, state=OrderState.FAILED) if over else one

    def _make_room(self, identity: str) -> None:
        found = self.of(identity)
        if len(found) < MOST_ORDERS:
            return
        # Of LTKMs that nobody acknowledged for so long nothing is lost with it: they are owed and sent elsewhere.
        given_up = [one for one in found if one.state in ENDED or self._now - one.at >= ORDER_LIFE]
        if not given_up:
            raise HeadendError(f"{MOST_ORDERS} orders of this subscriber are open")
        self._drop(identity, _hashed(given_up[0].order_id))
        self._drop(identity, given_up[0].order_id)

    def _keep(self, identity: str, one: ShopOrder) -> ShopOrder:
        value = [one.state.value, list(one.service_ids), one.at, list(one.left), one.order_id]
        self._drop(identity, one.order_id)  # as an older version wrote it
        self._records.put(_KIND, identity, _hashed(one.order_id), json.dumps(value, separators=(",", ":")).encode())
        return one

    def _drop(self, identity: str, row: str) -> None:
        self._records.drop(_KIND, identity, row)
        self._records.drop(_OWNER, row, _WHO)


def _stored(order: Order) -> str:
    return order.encode().decode()


def _hashed(order_id: str) -> str:
    """Return the name under which an order is written down; its own cannot be guessed, so nobody finds it from that."""
    return sha256(order_id.encode()).hexdigest()


def _read(row: str, stored: bytes) -> ShopOrder:
    """Read an order; one that an older version wrote has its name as that of its row."""
    try:
        state, service_ids, at, left, *own = json.loads(stored)
        return ShopOrder(own[0] if own else row, tuple(service_ids), OrderState(state), float(at), tuple(left))
    except (ValueError, TypeError, DecodeError) as error:
        raise HeadendError(f"an order of a shop cannot be read ({type(error).__name__})") from None
