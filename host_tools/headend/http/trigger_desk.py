"""Where a shop that knows no SRK orders, and the trigger to the terminal (OMA BCAST, clause 5.4.7.2.10).

provisional: what the shop asks the BSM is out of scope there; the bearer of the trigger is UDP to the port of OMA's key
messages, which is ours.
"""

from __future__ import annotations

from collections.abc import Iterable

from host_tools.exchange.messages.ltkm_push import OMA_LTKM_PORT
from host_tools.exchange.messages.provisioning import PurchaseItem
from host_tools.exchange.transport import Endpoint
from host_tools.headend.bsm.books import Books
from host_tools.headend.bsm.provisioning.shop_orders import OPEN, ShopOrder, ShopOrders
from host_tools.headend.http.push import Pushes


class TriggerDesk:
    """Takes orders of shops. Each call is a transaction of its own; what is to be sent goes with the next push."""

    def __init__(self, orders: ShopOrders, books: Books, pushes: Pushes, bsm_uri: str) -> None:
        """Take the orders, where routes are found, what goes out, and the URI that terminals know the BSM by."""
        self._orders = orders
        self._books = books
        self._pushes = pushes
        self._bsm_uri = bsm_uri

    def order(
        self, identity: str, items: Iterable[PurchaseItem], order_id: str, address: str | None = None
    ) -> ShopOrder:
        """Take an order for a subscriber and trigger its terminal; return how the order stands.

        The trigger goes to where its pushes go, or to `address` where that is not known; where nobody knows, the order
        stays as ordered until it is ordered again, under the same name. Raises `SaleRefusedError`, `HeadendError`.
        """
        with self._books.transactions.transaction():
            made = self._orders.order(identity, items, order_id)
            place = self._place(identity, address)
            if made.state not in OPEN or place is None:
                return made
            trigger = self._orders.trigger(identity, order_id, self._bsm_uri)
            self._pushes.tell(place, trigger.encode())
            return self._orders.find(identity, order_id) or made

    def find(self, identity: str, order_id: str) -> ShopOrder | None:
        """Return how an order stands, None where there is none."""
        with self._books.transactions.transaction():
            return self._orders.find(identity, order_id)

    def _place(self, identity: str, address: str | None) -> Endpoint | None:
        registered, line = self._books.registrations.find(identity), self._books.outbox.line(identity)
        route = registered.route if registered else line.route if line else None
        if route is not None:
            return Endpoint(route.address, route.port or OMA_LTKM_PORT)
        return None if address is None else Endpoint(address, OMA_LTKM_PORT)
