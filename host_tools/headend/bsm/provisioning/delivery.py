"""Which LTKMs a registration or a request for a key brings, by what the subscriber has bought."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from host_tools.headend.bsm.orders import Order, OrderKind
from host_tools.headend.bsm.provisioning.goods import Goods
from host_tools.headend.bsm.provisioning.sales import Sales
from host_tools.headend.service_keys import ServiceKey


class SalesDelivery:
    """Brings what is owed, and keys under the policies of the items that were bought."""

    def __init__(
        self, sales: Sales, goods: Goods, on_registered: Callable[[str, Sequence[str]], None] = lambda *_: None
    ) -> None:
        """Take what sells, what things come to as LTKMs, and who hears first that a subscriber has registered."""
        self._sales = sales
        self._goods = goods
        self._on_registered = on_registered

    def registered(self, identity: str, service_ids: Sequence[str]) -> Sequence[Order]:
        """Return what is owed for these items, once, and the keys of all of them. Raises `HeadendError`."""
        self._on_registered(identity, service_ids)
        return self._sales.due(identity, service_ids)

    def asked(self, identity: str, service_ids: Sequence[str], key: ServiceKey) -> Sequence[Order]:
        """Return the LTKMs that bring a key again under the items of a registration, and no credit."""
        del identity
        found: list[Order] = []
        for item in map(self._sales.catalogue.find, service_ids):
            for order in () if item is None else self._goods.again(item):
                if order.kind is not OrderKind.KEY or order.service != key.service:
                    continue
                if order.key is None:
                    order = Order.for_key(key.service, key)
                if order.key == key.key_ids and order not in found:
                    found.append(order)
        return found
