"""Where a shop that knows no SRK orders, and the trigger to the terminal (OMA BCAST, clause 5.4.7.2.10).

provisional: what the shop asks the BSM is out of scope there; the bearers of the trigger are ours: UDP to the port of
OMA's key messages, or short messages to a terminal that is not registered, where there are such.
"""

from __future__ import annotations

from collections.abc import Iterable

from host_tools.exchange.messages.ltkm_push import OMA_LTKM_PORT
from host_tools.exchange.messages.provisioning import PurchaseItem
from host_tools.exchange.messages.trigger import Trigger
from host_tools.exchange.transport import LARGEST_DATAGRAM, Endpoint
from host_tools.headend.bsm.books import Books
from host_tools.headend.bsm.provisioning.shop_orders import OPEN, ShopOrder, ShopOrders
from host_tools.headend.errors import HeadendError
from host_tools.headend.http.key_management import KeyManagement
from host_tools.headend.http.push import Pushes
from host_tools.headend.http.short_messages import ShortMessages


class TriggerDesk:
    """Takes orders of shops, and sends triggers. What is to be sent goes with the next push."""

    def __init__(
        self,
        orders: ShopOrders,
        keys: KeyManagement,
        books: Books,
        pushes: Pushes,
        bsm_uri: str,
        messages: ShortMessages | None = None,
    ) -> None:
        """Take orders, registrations, books, what goes out, and the URI that terminals know the BSM by.

        `messages` brings short messages, None where nothing does.
        """
        self._orders = orders
        self._keys = keys
        self._books = books
        self._pushes = pushes
        self._messages = messages
        self.bsm_uri = bsm_uri

    def order(
        self, identity: str, items: Iterable[PurchaseItem], order_id: str, address: str | None = None
    ) -> ShopOrder:
        """Take an order for a subscriber and trigger its terminal; return how the order stands. One transaction.

        The trigger goes as `send` has it; where nobody knows the way, the order stays as ordered until it is ordered
        again, under the same name. Raises `SaleRefusedError`, `HeadendError`.
        """
        with self._books.transactions.transaction():
            self._books.transactions.hold(identity)
            made = self._orders.order(identity, items, order_id)
            if made.state not in OPEN or not self._reaches(identity, address):
                return made
            self.send(identity, self._orders.trigger(identity, order_id, self.bsm_uri), address)
            return self._orders.find(identity, order_id) or made

    def send(self, identity: str, trigger: Trigger, address: str | None = None) -> bool:
        """Send a trigger to a subscriber's terminal, with the transaction that is open; tell whether a way leads there.

        To one that is registered it goes where pushes go. To others by short message, where there are such; or else to
        where the terminal was heard last, or to `address`. Raises `HeadendError` for one that is too long.
        """
        place, octets = self._place(identity, address), trigger.encode()
        if place is not None and len(octets) > LARGEST_DATAGRAM:  # no terminal would take it
            raise HeadendError("so many items do not fit into one trigger: order fewer of them at once")
        if place is not None:
            self._pushes.tell(place, octets)
        elif self._messages is not None:
            self._messages.send(identity, octets)
        return place is not None or self._messages is not None

    def find(self, identity: str, order_id: str) -> ShopOrder | None:
        """Return how an order stands, None where there is none."""
        with self._books.transactions.transaction():
            return self._orders.find(identity, order_id)

    def find_any(self, order_id: str) -> tuple[str, ShopOrder] | None:
        """Return whose order of this name there is, and how it stands; None where there is none."""
        with self._books.transactions.transaction():
            owner = self._orders.owner(order_id)
            found = None if owner is None else self._orders.find(owner, order_id)
        return None if owner is None or found is None else (owner, found)

    def _reaches(self, identity: str, address: str | None) -> bool:
        return self._messages is not None or self._place(identity, address) is not None

    def _place(self, identity: str, address: str | None) -> Endpoint | None:
        """Return where a trigger goes as a datagram, None for nowhere."""
        registered, line = self._keys.registration(identity), self._books.outbox.line(identity)
        if registered is None and self._messages is not None:
            return None
        route = registered.route if registered else line.route if line else None
        if route is not None:
            return Endpoint(route.address, route.port or OMA_LTKM_PORT)
        return Endpoint(address, OMA_LTKM_PORT) if address else None
