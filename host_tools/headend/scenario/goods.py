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
from host_tools.headend.clock import NetworkClock
from host_tools.headend.errors import HeadendError
from host_tools.headend.scenario.mint import BcastMint
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.on_air import ScenarioServices
from host_tools.headend.scenario.policies import DeliveryKind, PlannedDelivery
from host_tools.headend.scenario.seeded_keys import make_key
from host_tools.headend.service_keys import KeyTerm, ServiceKey

_PURSE_OF: Mapping[Source, PurseKind] = {
    Source.USER: PurseKind.USER,
    Source.LIVE_PPT: PurseKind.LIVE,
    Source.PLAYBACK_PPT: PurseKind.PLAYBACK,
}
_KEYS_KEPT = 256


class ScenarioGoods:
    """The port `Goods` for one scenario.

    A service with planned LTKMs gets these and no others, so an item for it that stands for no offer brings those that
    the scenario sends without a purchase. In a broadcast that begins again and again all is about the round of now, or
    of the key that is asked for. What is credited comes with the purchase and in no later round (ours): a key that came
    with tokens comes again without, and one that came with a counter leaves the counter as it is.
    """

    def __init__(
        self,
        scenario: Scenario,
        mint: BcastMint,
        tables: BcastTables,
        services: ScenarioServices,
        clock: NetworkClock,
    ) -> None:
        """Take the scenario, what writes its orders, the tables of its card, what is on the air, and the time."""
        self._scenario = scenario
        self._mint = mint
        self._tables = tables
        self._services = services
        self._clock = clock

    def of_item(self, item: CatalogueItem, about: KeyWish | None = None) -> Brought:
        """Return what the purchase of an item brings. Raises `HeadendError`."""
        planned, number = self._planned(item), self._round(about)
        orders = [self._mint.order(one, self._key(one, number), number) for one in planned]
        credits = [credit for one in planned if (credit := self._credit(one)) is not None]
        orders += [Order.for_key(service) for service in self._plain(item)]
        if item.tokens is not None:
            more = self.of_tokens(item.tokens.service, item.tokens.purse, item.tokens.quantity)
            orders, credits = [*orders, *more.orders], [*credits, *more.credits]
        return Brought(tuple(orders), tuple(credits))

    def again(
        self, item: CatalogueItem, sent: Collection[Order] = (), about: KeyWish | None = None
    ) -> tuple[Order, ...]:
        """Return the LTKMs that bring the keys of an item once more, and no credit; not those that are `sent` anyway.

        A card keeps purse and counter where an LTKM names none, so nothing is set or given twice.
        """
        orders, number = list[Order](), self._round(about)
        for one in self._planned(item):
            key = self._key(one, number)
            if one.kind is DeliveryKind.KEY and self._mint.order(one, key, number) not in sent:
                orders.append(self._mint.order(replace(one, tokens=None, counter=None, add=False), key, number))
        return (*orders, *(Order.for_key(service) for service in self._plain(item)))

    def of_tokens(self, service: str, purse: PurseKind, quantity: int) -> Brought:
        """Return what brings tokens to the purse of a service's domain or group. Raises `HeadendError`."""
        spe = self._spe(service, purse)
        planned = PlannedDelivery(DeliveryKind.TOKENS, service, None, "", spe=spe, tokens=quantity, add=True)
        key = self._key(planned, self._round(None))
        return Brought((self._mint.order(planned, key),), (Credit(purse, key.key_domain_id, quantity),))

    def with_key(self, items: Iterable[CatalogueItem], wish: KeyWish) -> tuple[CatalogueItem, ...]:
        """Return the items that do something about a key, for all STKM timestamps that are wanted."""
        return tuple(item for item in items if self._is_about(item, wish))

    def is_counted(self, item: CatalogueItem, wish: KeyWish) -> bool:
        """Tell whether an item has a policy for a key that is paid from a counter of the key itself."""
        number = self._round(wish)
        policies = (one for one in self._planned(item) if one.kind is DeliveryKind.KEY)
        return any(self._names(one, number, wish) and one.counter is not None for one in policies)

    def _is_about(self, item: CatalogueItem, wish: KeyWish) -> bool:
        number = self._round(wish)
        for one in self._planned(item):
            if not self._names(one, number, wish):
                continue
            if one.kind is DeliveryKind.TOKENS and self._pays(one):
                return True
            if one.kind is DeliveryKind.KEY and (one.spe is None or self._covers(one, number, wish)):
                return True
        found = self._scheduled(wish)
        return found is not None and found[0] in self._plain(item)

    def _names(self, planned: PlannedDelivery, number: int, wish: KeyWish) -> bool:
        """Tell whether a planned LTKM is about a key in this round, and the BSM has it."""
        key = self._key(planned, number)
        return key.key_domain_id + key.msk_id == wish.key_id and self._mint.has(key)

    def _pays(self, tokens: PlannedDelivery) -> bool:
        """Tell whether a policy for the same key is paid from the purse that tokens go to."""
        about = (tokens.service, tokens.key_number)
        policies = [
            one for one in self._scenario.planned
            if one.kind is DeliveryKind.KEY and (one.service, one.key_number) == about
        ]  # fmt: skip
        return self._source(tokens) in [self._source(one) for one in policies]

    def _source(self, planned: PlannedDelivery) -> Source | None:
        row = None if planned.spe is None else self._tables.find_spe(planned.spe)
        return None if row is None else row.source

    def _covers(self, planned: PlannedDelivery, number: int, wish: KeyWish) -> bool:
        validity = self._mint.validity(planned, number)
        low, high = (wish.first or validity.lower), (validity.upper if wish.last is None else wish.last)
        return validity.lower <= low and high <= validity.upper

    def _round(self, about: KeyWish | None) -> int:
        """Return the round of now, or of the key that is asked for where the scenario plans it."""
        found = None if about is None else self._scheduled(about)
        return self._services.timetable.round_at(self._at) if found is None else found[1]

    def _scheduled(self, wish: KeyWish) -> tuple[str, int] | None:
        """Return the service of a key and its newest round, None for a key that the scenario does not plan."""
        timetable, domain, msk_id = self._services.timetable, wish.key_id[:3], wish.key_id[3:]
        for service in self._scenario.services:
            number = timetable.round_of(service.id, msk_id, self._at)
            if number is not None:
                terms = timetable.planned_terms(service.id, number)
                if any((term.key_domain_id, term.msk_id) == (domain, msk_id) for term in terms):
                    return service.id, number
        return None

    @property
    def _at(self) -> int:
        return self._services.elapsed(self._clock.now())

    def _key(self, planned: PlannedDelivery, number: int) -> ServiceKey:
        """Return the SEK that a planned LTKM is about in a round."""
        term = self._services.timetable.planned_terms(planned.service, number)[planned.key_number - 1]
        kept = self._keys.get(term)
        if kept is None:
            if len(self._keys) >= _KEYS_KEPT:
                self._keys.clear()
            kept = self._keys[term] = make_key(self._scenario, term)
        return kept

    @cached_property
    def _keys(self) -> dict[KeyTerm, ServiceKey]:
        """The SEKs that were asked for last."""
        return {}

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
        return Credit(purse, self._key(planned, 0).key_domain_id, planned.tokens)

    def _spe(self, service: str, purse: PurseKind) -> int:
        """Return the policy value that names a purse: one that the service uses, or else the first of the tables."""
        used = [one.spe for one in self._scenario.planned if one.service == service and one.spe is not None]
        for value in (*used, *(row.value for row in self._tables.spe)):
            row = self._tables.find_spe(value)
            if row is not None and _PURSE_OF.get(row.source) is purse:
                return value
        raise HeadendError(f"no policy pays from the {purse.value} purse")
