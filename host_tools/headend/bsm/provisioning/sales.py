"""The one way in which something is sold: what was bought is noted in the ledger, and what it brings is returned.

Times and limits are ours. A subscription that is in force is not sold a second time, it is renewed: the new window ends
one period after the old one. What is over must be bought anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from host_tools.exchange.messages.provisioning import Price, ProvisioningStatus, Window
from host_tools.exchange.messages.tokens import KeyWish, PurseKind
from host_tools.exchange.ports import Clock
from host_tools.headend.bsm.orders import Order
from host_tools.headend.bsm.provisioning.goods import Brought, Goods
from host_tools.headend.bsm.provisioning.ledger import Charge, Debt, Ledger, Subscription
from host_tools.headend.catalogue.items import Catalogue, CatalogueItem, ItemKind
from host_tools.headend.errors import HeadendError


class SaleRefusedError(HeadendError):
    """Something is not sold; `status` says why in the code of service provisioning."""

    def __init__(self, status: ProvisioningStatus, words: str) -> None:
        super().__init__(words)
        self.status = status


@dataclass(frozen=True, slots=True)
class Sold:
    """What was sold: the item where there is one, its price, the window of a subscription, and what is to be sent."""

    price: Price
    item: CatalogueItem | None = None
    window: Window | None = None
    orders: tuple[Order, ...] = ()


class Sales:
    """Sells from a catalogue and keeps the books."""

    def __init__(self, catalogue: Catalogue, ledger: Ledger, goods: Goods, clock: Clock) -> None:
        """Take what is sold, the books, what things come to as LTKMs, and the time."""
        self.catalogue = catalogue
        self.ledger = ledger
        self._goods = goods
        self._clock = clock

    def buy(
        self,
        identity: str,
        item: CatalogueItem,
        order: str,
        expected: Price | None = None,
        about: KeyWish | None = None,
    ) -> Sold:
        """Sell an item, for now or for the time `about` which a key is.

        Raises `SaleRefusedError`, also for a price that is not the `expected` one.
        """
        now = self._clock.now()
        self.require_for_sale(identity, (item,))
        self._require_price(item.price, expected)
        brought = self._goods.of_item(item, about)
        self._charge(identity, order, item.service_id, item.price)
        bought = Subscription(item.service_id, now, None if item.period is None else now + item.period)
        self.ledger.subscribe(identity, bought)
        self._credit(identity, brought)
        return Sold(item.price, item, _window(bought), brought.orders)

    def require_for_sale(self, identity: str, items: Iterable[CatalogueItem]) -> None:
        """Check that each of these items would be sold now, and all of them together. Raises `SaleRefusedError`."""
        total, now = Decimal(0), self._clock.now()
        for item in items:
            before = self.ledger.subscription(identity, item.service_id)
            if item.included:
                raise SaleRefusedError(_Status.OPERATION_NOT_PERMITTED, "it is not for sale")
            if item.home_only and not self.catalogue.is_home(identity):
                raise SaleRefusedError(_Status.ROAMING_AUTHORISATION_FAILED, "it is for subscribers of this network")
            if item.kind is ItemKind.SUBSCRIPTION and before is not None and before.in_force(now):
                raise SaleRefusedError(_Status.OPERATION_NOT_PERMITTED, "it is subscribed already: renew it")
            total += item.price.amount
        self._require_within_limit(identity, total)

    def include(self, identity: str, item: CatalogueItem) -> bool:
        """Give a subscriber an item that comes without being asked for, once; tell whether it had to be given.

        Its LTKMs wait for the registration.
        """
        if self.ledger.subscription(identity, item.service_id) is not None:
            return False
        brought = self._goods.of_item(item)
        self.ledger.subscribe(identity, Subscription(item.service_id, self._clock.now()))
        self._credit(identity, brought)
        self.owe(identity, "", item.service_id, (order for order in brought.orders if order.credits))
        return True

    def renew(self, identity: str, item: CatalogueItem, order: str, expected: Price | None = None) -> Sold:
        """Prolong a subscription by its period. Raises `SaleRefusedError`."""
        before = self.ledger.subscription(identity, item.service_id)
        if before is None or not before.in_force(self._clock.now()):
            raise SaleRefusedError(_Status.NO_SUBSCRIPTION, "there is no subscription that could be renewed")
        if before.end is None or item.period is None:
            raise SaleRefusedError(_Status.OPERATION_NOT_PERMITTED, "it has no end that could be moved")
        self._require_price(item.price, expected)
        self._charge(identity, order, item.service_id, item.price)
        renewed = Subscription(item.service_id, before.start, before.end + item.period)
        self.ledger.subscribe(identity, renewed)
        return Sold(item.price, item, _window(renewed), self._goods.again(item))

    def end(self, identity: str, item: CatalogueItem) -> Sold:
        """End what a subscriber has of an item; no money goes back. Raises `SaleRefusedError`."""
        if item.included:
            raise SaleRefusedError(_Status.OPERATION_NOT_PERMITTED, "it comes without being asked for")
        before = self.ledger.subscription(identity, item.service_id)
        if before is None or not before.in_force(self._clock.now()):
            raise SaleRefusedError(_Status.NO_SUBSCRIPTION, "there is no subscription that could be ended")
        self._take_away(identity, before)
        return Sold(Price(Decimal(0), item.price.currency), item)

    def withdraw(self, identity: str, service_id: str) -> None:
        """Take an item from a subscriber, also one that comes without being asked for. Raises `HeadendError`."""
        before = self.ledger.subscription(identity, service_id)
        if before is None or not before.in_force(self._clock.now()):
            raise HeadendError(f"{identity} has no {service_id}")
        self._take_away(identity, before)

    def buy_tokens(self, identity: str, purse: PurseKind, quantity: int, order: str) -> Sold:
        """Sell tokens by number. Raises `SaleRefusedError`."""
        tariff = self.catalogue.tariff(purse)
        if tariff is None or quantity < 1:
            raise SaleRefusedError(_Status.ITEM_UNKNOWN, f"tokens of the {purse.value} purse are not sold by number")
        price = tariff.cost(quantity)
        brought = self._goods.of_tokens(tariff.service, purse, quantity)
        self._charge(identity, order, f"{quantity} tokens, {purse.value}", price)
        self._credit(identity, brought)
        return Sold(Price(price.amount, price.currency), orders=brought.orders)

    def buy_key(self, identity: str, wish: KeyWish, order: str) -> Sold:
        """Sell what does something about a key.

        To one who has an item with this key: the cheapest tokens that its policies are paid with, or where a counter of
        the key pays, the cheapest item that brings it; or else the key once more, for nothing. To others: the cheapest
        item that brings it. Raises `SaleRefusedError`.
        """
        found = self._goods.with_key(self.catalogue.items, wish)
        tokens = [item for item in found if item.kind is ItemKind.TOKENS and not item.included]
        bringing = [item for item in found if item.kind is not ItemKind.TOKENS]
        held = [item for item in bringing if self.may_receive(identity, item.service_id)]
        counted = [item for item in held if self._goods.is_counted(item, wish)]
        offered = [item for item in bringing if not item.included and item not in held]
        if held and not tokens:
            free = next((item for item in held if item not in counted), None)
            sellable = offered or [item for item in counted if item.kind is ItemKind.ONCE and not item.included]
            if free is None and not sellable:
                free = held[0]
            if free is not None:
                again = self._goods.again(free, (), wish)
                return Sold(Price(Decimal(0), free.price.currency), free, orders=again)
            offered = sellable
        wanted = (tokens or offered) if held else (offered or tokens)
        if not wanted:
            raise SaleRefusedError(_Status.ELEMENT_NON_EXISTENT, "nothing that is sold brings this key for this time")
        return self.buy(identity, min(wanted, key=lambda item: item.price.amount), order, about=wish)

    def in_force(self, identity: str) -> tuple[Subscription, ...]:
        """Return what a subscriber has now; what is over is purged from the books."""
        now, found = self._clock.now(), self.ledger.subscriptions(identity)
        for one in found:
            if one.end is not None and one.end <= now and not self._is_included(one.service_id):
                self.ledger.unsubscribe(identity, one.service_id)
        return tuple(one for one in found if one.in_force(now))

    def may_receive(self, identity: str, service_id: str) -> bool:
        """Tell whether a subscriber has the item with this serviceID now."""
        found = self.ledger.subscription(identity, service_id)
        return found is not None and found.in_force(self._clock.now())

    def services(self, identity: str) -> tuple[str, ...]:
        """Return the services of all that a subscriber has bought and has now."""
        items = [self.catalogue.find(one.service_id) for one in self.in_force(identity)]
        bought = [item for item in items if item is not None and not item.included]
        return tuple(dict.fromkeys(service for item in bought for service in item.services))

    def owe(self, identity: str, order: str, what: str, orders: Iterable[Order]) -> None:
        """Note that LTKMs are to be sent with the next registration for an item. Raises `HeadendError`."""
        for ltkm in orders:
            self.ledger.owe(identity, Debt(order, what, ltkm))

    def due(self, identity: str, service_ids: Iterable[str]) -> tuple[Order, ...]:
        """Return the LTKMs for one who has registered for these items: what is owed, once, and the keys of the rest.

        Raises `HeadendError`.
        """
        wanted = tuple(dict.fromkeys(service_ids))
        debts = [debt for debt in self.ledger.owed(identity) if debt.what in wanted]
        for debt in debts:
            self.ledger.settle(identity, debt)
        orders = [debt.ltkm for debt in debts]
        items = [self.catalogue.find(one) for one in wanted]
        for ltkm in (order for item in items if item is not None for order in self._goods.again(item, orders)):
            if ltkm not in orders:
                orders.append(ltkm)
        return tuple(orders)

    def _take_away(self, identity: str, subscription: Subscription) -> None:
        """Note that a subscriber has an item no longer. One that is included stays as over, or it would come again."""
        service_id = subscription.service_id
        if self._is_included(service_id):
            self.ledger.subscribe(identity, replace(subscription, end=self._clock.now()))
        else:
            self.ledger.unsubscribe(identity, service_id)
        for debt in self.ledger.owed(identity):
            if debt.what == service_id and not debt.ltkm.credits:  # paid tokens stay owed
                self.ledger.settle(identity, debt)

    def _is_included(self, service_id: str) -> bool:
        item = self.catalogue.find(service_id)
        return item is not None and item.included

    def _require_price(self, price: Price, expected: Price | None) -> None:
        if expected is not None and (expected.amount, expected.currency) != (price.amount, price.currency):
            raise SaleRefusedError(_Status.CHARGING_ERROR, f"it costs {price.amount} {price.currency}")

    def _require_within_limit(self, identity: str, amount: Decimal) -> None:
        limit = self.catalogue.limit
        spent = sum((one.amount for one in self.ledger.spent(identity)), Decimal(0))
        if limit is not None and amount and spent + amount > limit:
            raise SaleRefusedError(_Status.CHARGING_ERROR, f"no subscriber may spend more than {limit}")

    def _charge(self, identity: str, order: str, what: str, price: Price) -> None:
        """Note money within the limit of the catalogue. Raises `SaleRefusedError`."""
        self._require_within_limit(identity, price.amount)
        if price.amount:
            self.ledger.charge(identity, Charge(order, what, Price(price.amount, price.currency), self._clock.now()))

    def _credit(self, identity: str, brought: Brought) -> None:
        for one in brought.credits:
            self.ledger.credit(identity, one.purse, one.key_domain_id, one.quantity)


_Status = ProvisioningStatus


def _window(bought: Subscription) -> Window | None:
    return None if bought.end is None else Window(bought.start, bought.end)
