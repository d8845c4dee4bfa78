"""How an item of the catalogue looks to a person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from host_tools.exchange.messages.provisioning import Price
from host_tools.headend.bsm.provisioning.ledger import Subscription
from host_tools.headend.catalogue.items import CatalogueItem, ItemKind


@dataclass(frozen=True, slots=True)
class Good:
    """One item: its name, what it is, what it costs; whether this person has it, until when, and may buy it."""

    service_id: str
    title: str
    words: str
    price: str
    held: bool = False
    ends: datetime | None = None
    may_buy: bool = True
    token: str = ""


def good(item: CatalogueItem, held: Subscription | None = None, token: str = "") -> Good:
    """Return how an item looks to one who has it or not."""
    again = item.kind is not ItemKind.SUBSCRIPTION or held is None
    return Good(
        item.service_id,
        item.title or item.global_id,
        _words(item),
        "" if item.included else price_words(item.price),
        held is not None,
        None if held is None else held.end,
        again and not item.included,
        token,
    )


def goods_for_sale(items: Iterable[CatalogueItem]) -> tuple[Good, ...]:
    """Return what can be bought."""
    return tuple(good(item) for item in items if not item.included)


def price_words(price: Price) -> str:
    """Return a price as people write it."""
    if not price.amount:
        return "free"
    cents = price.amount == price.amount.quantize(Decimal("0.01"))
    return f"{price.amount:.2f} {price.currency}" if cents else f"{price.amount:f} {price.currency}"


def _words(item: CatalogueItem) -> str:
    services = ", ".join(item.services)
    if item.included:
        return f"{services}: comes without being asked for."
    match item.kind:
        case ItemKind.SUBSCRIPTION:
            words = f"Subscription to {services}{_period(item.period)}"
        case ItemKind.TOKENS:
            words = f"Tokens for {services}" if services else "Tokens"
        case _:
            words = f"{services}, once" if services else "Once"
    if item.tokens is not None:
        words += f"; {item.tokens.quantity} tokens for the {item.tokens.purse.value} purse"
    return words + "."


def _period(period: timedelta | None) -> str:
    if period is None:
        return ", for good"
    days = period.total_seconds() / 86_400
    return f", {days:g} days" if days >= 1 else f", {period.total_seconds() / 60:g} minutes"
