"""Which LTKMs a registration or a request for a key brings, by what the subscriber has bought."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from host_tools.exchange.messages.tokens import KeyWish
from host_tools.headend.bsm.orders import Order
from host_tools.headend.bsm.provisioning.goods import Goods
from host_tools.headend.bsm.provisioning.sales import Sales
from host_tools.headend.catalogue.items import CatalogueItem
from host_tools.headend.service_keys import ServiceKey


class SalesDelivery:
    """Brings what is owed, and keys under the policies of the items that were bought."""

    def __init__(
        self, sales: Sales, goods: Goods, on_registering: Callable[[str, Sequence[str]], None] = lambda *_: None
    ) -> None:
        """Take what sells, what things come to as LTKMs, and who hears first what a subscriber registers for."""
        self._sales = sales
        self._goods = goods
        self._on_registering = on_registering

    def registering(self, identity: str, service_ids: Sequence[str]) -> None:
        """Hear what a subscriber wants to register for: what was ordered for that is sold now, or not at all."""
        self._on_registering(identity, service_ids)

    def registered(self, identity: str, service_ids: Sequence[str]) -> Sequence[Order]:
        """Return what is owed for these items, once, and the keys of all of them. Raises `HeadendError`."""
        return self._sales.due(identity, service_ids)

    def asked(
        self, identity: str, service_ids: Sequence[str], key: ServiceKey, waiting: Collection[Order]
    ) -> Sequence[Order] | None:
        """Return the LTKMs that bring a key again under the items of a registration, and no credit.

        Those that come anyway, as they are `waiting`, are left out. None where no item brings this key.
        """
        del identity
        wish = KeyWish(key.key_domain_id + key.msk_id)
        items = [item for item in map(self._sales.catalogue.find, service_ids) if item is not None]
        if not any(self._bring(item, (), wish, key) for item in items):
            return None
        return tuple(dict.fromkeys(order for item in items for order in self._bring(item, waiting, wish, key)))

    def _bring(
        self, item: CatalogueItem, waiting: Collection[Order], wish: KeyWish, key: ServiceKey
    ) -> tuple[Order, ...]:
        """Return what of an item is about this key."""
        named = (
            replace(order, key=key.key_ids) if order.key is None and order.service == key.service else order
            for order in self._goods.again(item, waiting, wish)
        )
        return tuple(order for order in named if order.service == key.service and order.key == key.key_ids)
