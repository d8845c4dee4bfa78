"""The catalogue of a scenario that has none of its own: names, prices and times are ours.

Three kinds of items: each service as the scenario sends it, for nothing; each service and all of them together, by the
month; each offer of the scenario.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from host_tools.exchange.messages.provisioning import Price
from host_tools.exchange.messages.tokens import PurseKind
from host_tools.headend.catalogue.items import Catalogue, CatalogueItem, ItemKind, Tariff
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.policies import DeliveryKind

SERVICE_PREFIX = "urn:x-bcast-uicc:service:"
"""In front of the name that a service has in its scenario: the item that costs nothing."""
ITEM_PREFIX = "urn:x-bcast-uicc:item:"
MONTH, ONCE = "urn:x-bcast-uicc:data:month", "urn:x-bcast-uicc:data:once"
EVERYTHING = ITEM_PREFIX + "all-services"
_CURRENCY = "EUR"
_A_MONTH = timedelta(days=30)
_SERVICE_PRICE, _ALL_PRICE, _OFFER_PRICE, _TOKEN_PRICE = map(Decimal, ("4.99", "7.99", "1.50", "0.10"))


def offers_of(scenario: Scenario) -> dict[str, tuple[str, ...]]:
    """Return the offers of a scenario with the services of each."""
    names = dict.fromkeys(planned.offer for planned in scenario.planned if planned.offer)
    return {
        name: tuple(dict.fromkeys(planned.service for planned in scenario.planned if planned.offer == name))
        for name in names
    }


def included(scenario: Scenario) -> tuple[CatalogueItem, ...]:
    """Return an item without a price for each service that the scenario sends to its subscriber without a purchase."""
    sold = {planned.service for planned in scenario.planned}
    sent = {planned.service for planned in scenario.planned if planned.at is not None}
    return tuple(
        CatalogueItem(
            SERVICE_PREFIX + service.id,
            "",
            ItemKind.ONCE,
            _price(Decimal(0)),
            service.id,
            services=(service.id,),
            included=True,
        )
        for service in scenario.services
        if service.id not in sold or service.id in sent
    )


def default_catalogue(scenario: Scenario) -> Catalogue:
    """Return what can be bought in a scenario that comes without a catalogue."""
    names = tuple(service.id for service in scenario.services)
    open_names = tuple(item.title for item in included(scenario))
    months = [_monthly(ITEM_PREFIX + name, name, (name,), _SERVICE_PRICE) for name in open_names]
    if len(open_names) > 1:
        months.append(_monthly(EVERYTHING, "all services", open_names, _ALL_PRICE))
    tariffs = [Tariff(purse, names[0], _price(_TOKEN_PRICE)) for purse in PurseKind] if names else []
    return Catalogue((*included(scenario), *months, *_offers(scenario)), tariffs)


def _monthly(global_id: str, title: str, services: tuple[str, ...], price: Decimal) -> CatalogueItem:
    return CatalogueItem(
        global_id, MONTH, ItemKind.SUBSCRIPTION, _price(price), f"{title}, a month", services, period=_A_MONTH
    )


def _offers(scenario: Scenario) -> list[CatalogueItem]:
    return [
        CatalogueItem(
            ITEM_PREFIX + name,
            ONCE,
            ItemKind.TOKENS if _brings_tokens(scenario, name) else ItemKind.ONCE,
            _price(_OFFER_PRICE),
            name,
            services,
            offer=name,
        )
        for name, services in offers_of(scenario).items()
    ]


def _brings_tokens(scenario: Scenario, offer: str) -> bool:
    found = [planned.kind for planned in scenario.planned if planned.offer == offer]
    return DeliveryKind.TOKENS in found


def _price(amount: Decimal) -> Price:
    return Price(amount, _CURRENCY)
