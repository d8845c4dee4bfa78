"""What the items of a catalogue come to as LTKMs in a scenario: its offers, its plain keys, its purses."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import cached_property

from card.spec.bcast.tables import BcastTables, Source
from host_tools.exchange.messages.tokens import KeyWish, PurseKind
from host_tools.headend.bsm.orders import Order
from host_tools.headend.bsm.provisioning.goods import Brought, Credit
from host_tools.headend.catalogue.items import CatalogueItem
from host_tools.headend.errors import HeadendError
from host_tools.headend.scenario.mint import BcastMint
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.policies import DeliveryKind, PlannedDelivery
from host_tools.headend.scenario.schedule import key_of
from host_tools.headend.scenario.seeded_keys import service_keys
from host_tools.headend.service_keys import ServiceKey

_PURSE_OF: Mapping[Source, PurseKind] = {
    Source.USER: PurseKind.USER,
    Source.LIVE_PPT: PurseKind.LIVE,
    Source.PLAYBACK_PPT: PurseKind.PLAYBACK,
}


class ScenarioGoods:
    """The port `Goods` for one scenario.

    A service with planned LTKMs gets these and no others, so an item for it that stands for no offer brings those that
    the scenario sends without a purchase.
    """

    def __init__(self, scenario: Scenario, mint: BcastMint, tables: BcastTables) -> None:
        """Take the scenario, what writes its orders, and the tables of its card."""
        self._scenario = scenario
        self._mint = mint
        self._tables = tables

    def of_item(self, item: CatalogueItem) -> Brought:
        """Return what the purchase of an item brings. Raises `HeadendError`."""
        planned = self._planned(item)
        orders = [self._mint.order(one, key_of(self._keys, one)) for one in planned]
        credits = [credit for one in planned if (credit := self._credit(one)) is not None]
        orders += [Order.for_key(service) for service in self._plain(item)]
        if item.tokens is not None:
            more = self.of_tokens(item.tokens.service, item.tokens.purse, item.tokens.quantity)
            orders, credits = [*orders, *more.orders], [*credits, *more.credits]
        return Brought(tuple(orders), tuple(credits))

    def again(self, item: CatalogueItem, sent: Collection[Order] = ()) -> tuple[Order, ...]:
        """Return the LTKMs that bring the keys of an item once more, and no credit; not those that are `sent` anyway.

        A key that came with tokens comes without; one that came with a counter is not sent again, as that would set it.
        """
        orders: list[Order] = []
        for one in self._planned(item):
            key = key_of(self._keys, one)
            if one.kind is DeliveryKind.KEY and self._mint.order(one, key) not in sent:
                orders.append(self._mint.order(replace(one, tokens=None, add=False), key))
        plain = [Order.for_key(service) for service in self._plain(item)]
        return (*(order for order in orders if not order.credits), *plain)

    def of_tokens(self, service: str, purse: PurseKind, quantity: int) -> Brought:
        """Return what brings tokens to the purse of a service's domain or group. Raises `HeadendError`."""
        spe = self._spe(service, purse)
        planned = PlannedDelivery(DeliveryKind.TOKENS, service, None, "", spe=spe, tokens=quantity, add=True)
        key = key_of(self._keys, planned)
        return Brought((self._mint.order(planned, key),), (Credit(purse, key.key_domain_id, quantity),))

    def with_key(self, items: Iterable[CatalogueItem], wish: KeyWish) -> tuple[CatalogueItem, ...]:
        """Return the items that do something about a key, for all STKM timestamps that are wanted."""
        domain, msk_id = wish.key_id[:3], wish.key_id[3:]
        named = [key for key in self._keys if key.key_domain_id == domain and key.msk_id == msk_id]
        return tuple(item for item in items if named and self._is_about(item, named[0], wish))

    def _is_about(self, item: CatalogueItem, key: ServiceKey, wish: KeyWish) -> bool:
        for one in self._planned(item):
            if key_of(self._keys, one) is not key:
                continue
            if one.kind is DeliveryKind.TOKENS and self._pays(one, key):
                return True
            if one.kind is DeliveryKind.KEY and (one.spe is None or self._covers(one, key, wish)):
                return True
        return key.service in self._plain(item)

    def _pays(self, tokens: PlannedDelivery, key: ServiceKey) -> bool:
        """Tell whether a policy for a key is paid from the purse that tokens go to."""
        policies = [
            one for one in self._scenario.planned if one.kind is DeliveryKind.KEY and key_of(self._keys, one) is key
        ]
        return self._source(tokens) in [self._source(one) for one in policies]

    def _source(self, planned: PlannedDelivery) -> Source | None:
        row = None if planned.spe is None else self._tables.find_spe(planned.spe)
        return None if row is None else row.source

    def _covers(self, planned: PlannedDelivery, key: ServiceKey, wish: KeyWish) -> bool:
        validity = self._mint.validity(planned, key)
        low, high = (wish.first or validity.lower), (validity.upper if wish.last is None else wish.last)
        return validity.lower <= low and high <= validity.upper

    @cached_property
    def _keys(self) -> tuple[ServiceKey, ...]:
        return service_keys(self._scenario)

    @cached_property
    def _policed(self) -> frozenset[str]:
        return frozenset(planned.service for planned in self._scenario.planned)

    def _planned(self, item: CatalogueItem) -> list[PlannedDelivery]:
        if item.offer:
            return [one for one in self._scenario.planned if one.offer == item.offer]
        return [one for one in self._scenario.planned if one.at is not None and one.service in item.services]

    def _plain(self, item: CatalogueItem) -> list[str]:
        """Return the services of an item whose keys need no policy."""
        return [service for service in item.services if service not in self._policed]

    def _credit(self, planned: PlannedDelivery) -> Credit | None:
        source = self._source(planned)
        purse = None if source is None else _PURSE_OF.get(source)
        if purse is None or planned.tokens is None:
            return None
        return Credit(purse, key_of(self._keys, planned).key_domain_id, planned.tokens)

    def _spe(self, service: str, purse: PurseKind) -> int:
        """Return the policy value that names a purse: one that the service uses, or else the first of the tables."""
        used = [one.spe for one in self._scenario.planned if one.service == service and one.spe is not None]
        for value in (*used, *(row.value for row in self._tables.spe)):
            row = self._tables.find_spe(value)
            if row is not None and _PURSE_OF.get(row.source) is purse:
                return value
        raise HeadendError(f"no policy pays from the {purse.value} purse")
