"""What a BSM sells, for `terminal prices` without an item: as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import click

from host_tools.cli.terminal.report import print_columns, print_json
from host_tools.exchange.messages.pricing import PricingAnswer
from host_tools.exchange.messages.provisioning import Price
from host_tools.sessions.online.asking import Offer, OfferKind, Reply, item_text
from host_tools.trace.printable import printable


def show_offers(reply: Reply, offers: Sequence[Offer], *, as_json: bool) -> None:
    """Print the answer of a BSM about all that it sells, with what the subscriber has of it."""
    answer = reply.answer
    assert isinstance(answer, PricingAnswer), "that is what was asked for"
    if as_json:
        tokens = [{"purse": one.purse.value, **_price(one.price)} for one in answer.tokens]
        sold = [_offer(one) for one in offers]
        print_json({"b_tid": reply.b_tid, "sold": sold, "tokens": tokens, "more": answer.more})
        return
    rows = [
        (printable(_shortest(one, offers)), _what(one), _kind(one), _prices(one.priced.prices), ", ".join(one.may))
        for one in offers
    ]
    rows += [
        (f"--tokens N --purse {one.purse.value}", "tokens by number", OfferKind.TOKENS.value,
         f"{_prices((one.price,))} each", "buy")
        for one in answer.tokens
    ]  # fmt: skip
    if not rows:
        click.echo("The BSM sells nothing.")
        return
    print_columns("What is sold", ("item", "what", "kind", "price", "you may"), rows)
    if answer.more:
        click.echo("There is more than the BSM lists: ask for an ITEM by its name.")


def _shortest(offer: Offer, offers: Sequence[Offer]) -> str:
    """Return the shortest name that buys the item: without its PurchaseDataID where no other item shares the rest."""
    item = offer.priced.item
    same = [one for one in offers if one.priced.item.global_id == item.global_id]
    return item.global_id if len(same) == 1 else item_text(item)


def _what(offer: Offer) -> str:
    until = "" if offer.held is None or offer.held.window is None else f" until {offer.held.window.end}"
    return printable(offer.priced.title) + ("" if offer.held is None else f" (you have it{until})")


def _kind(offer: Offer) -> str:
    tokens, period = offer.priced.tokens, offer.priced.period
    length = "" if period is None else f", {_length(period)}"
    return offer.kind.value + length + ("" if tokens is None else f", {tokens.quantity} for {tokens.purse.value}")


def _length(period: timedelta) -> str:
    seconds = period.total_seconds()
    return f"{seconds / 86_400:g} days" if seconds >= 86_400 else f"{seconds:g} s"


def _prices(prices: Sequence[Price]) -> str:
    return ", ".join(f"{one.amount:f} {one.currency}" for one in prices)


def _price(price: Price) -> dict[str, object]:
    return {"amount": str(price.amount), "currency": price.currency}


def _offer(offer: Offer) -> dict[str, object]:
    priced, held = offer.priced, offer.held
    window = None if held is None else held.window
    tokens = priced.tokens
    return {
        "item": priced.item.global_id,
        "data": priced.item.data_id,
        "title": priced.title,
        "kind": offer.kind.value,
        "prices": [_price(one) for one in priced.prices],
        "seconds": None if priced.period is None else int(priced.period.total_seconds()),
        "tokens": None if tokens is None else {"purse": tokens.purse.value, "quantity": tokens.quantity},
        "held": held is not None,
        "to": None if window is None else window.end.isoformat(),
        "may": list(offer.may),
    }
