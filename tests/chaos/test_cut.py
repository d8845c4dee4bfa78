"""Connections that are cut: at every octet of Registration and Token Purchase, at the boundaries of everything else.

After each cut either the same terminal tries again, or it is gone and another one starts with its card and journal.
Then the books of card, store and journal are computed and must say the same.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from host_tools.exchange.messages.msk import MskName
from host_tools.exchange.messages.orders import RenewalRequest, ServiceRequest, UnsubscribeRequest
from host_tools.exchange.messages.pricing import PricingRequest
from host_tools.exchange.messages.provisioning import PurchaseItem
from host_tools.exchange.messages.tokens import AccountInquiry, TokenPurchaseRequest
from host_tools.terminal.client.wishes import Deregister, Order, Register, RequestKeys
from tests.flows.offers import FILM, ITEM1, TOKENS
from tests.support.chaos.cutter import Crossed, CuttingRelay
from tests.support.chaos.places import Place, boundaries, every_octet
from tests.support.chaos.world import World

_ITEM1_COSTS, _TOKENS_COST, _FILM_COSTS = Decimal("4.99"), Decimal(2), Decimal("1.50")
_SEED = 20261121
_NUMBERS = itertools.count()
Deed = Callable[[World, int], object]
"""What is done, with so many tries of one terminal after the first."""
Before = Callable[[World], None]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path, _SEED) as made:
        yield made
        assert made.served.defects == 0


def buys_tokens(world: World, resends: int) -> object:
    order = Order(TokenPurchaseRequest(f"cut-{next(_NUMBERS)}", items=(TOKENS,)))
    return world.buy(order, _TOKENS_COST, 10, resends=resends)


def registers(world: World, resends: int) -> object:
    return world.ask(Register((ITEM1.service_id,)), resends=resends)


def subscribes(world: World, resends: int) -> object:
    """Subscribe, where the end before left nothing that is in force."""
    return world.buy(Order(ServiceRequest(f"cut-{next(_NUMBERS)}", (ITEM1,))), _ITEM1_COSTS, resends=resends)


def leaves(world: World, resends: int) -> object:
    return world.buy(Order(UnsubscribeRequest(f"cut-{next(_NUMBERS)}", (ITEM1,))), Decimal(0), resends=resends)


def renews(world: World, resends: int) -> object:
    return world.buy(Order(RenewalRequest(f"cut-{next(_NUMBERS)}", (ITEM1,))), _ITEM1_COSTS, resends=resends)


def buys_a_film(world: World, resends: int) -> object:
    return world.buy(Order(ServiceRequest(f"cut-{next(_NUMBERS)}", (FILM,))), _FILM_COSTS, resends=resends)


def asks_for_prices(world: World, resends: int) -> object:
    return world.ask(Order(PricingRequest(f"cut-{next(_NUMBERS)}", (PurchaseItem(ITEM1.global_id),))), resends=resends)


def asks_for_the_account(world: World, resends: int) -> object:
    return world.ask(Order(AccountInquiry(f"cut-{next(_NUMBERS)}")), resends=resends)


def asks_for_a_key(world: World, resends: int) -> object:
    key = world.served.network.bsm.keys("one")[0]
    return world.ask(RequestKeys((MskName(key.key_domain_id, key.msk_id[:2] + bytes(2)),)), resends=resends)


def deregisters(world: World, resends: int) -> object:
    return world.ask(Deregister((ITEM1.service_id,)), resends=resends)


def bootstraps(world: World, resends: int) -> object:
    del resends
    return world.bootstrap()


def _subscribed(world: World) -> None:
    if ITEM1.service_id not in world.books().items:
        registers(world, 2)


def _free(world: World) -> None:
    if ITEM1.service_id in world.books().rights:
        leaves(world, 2)
        world.require_balance()


def _bought(world: World) -> None:
    if ITEM1.service_id not in world.books().rights:
        subscribes(world, 2)
        world.require_balance()


def _cut(world: World, relay: CuttingRelay, deed: Deed, before: Before, places: Sequence[Place]) -> None:
    """Cut a deed at these places, one after the other; each time the books must balance afterwards."""
    chance, counts = random.Random(_SEED), Counter[str]()
    for place in places:
        before(world)
        first, reset, resends = len(relay.crossed), chance.random() < 0.5, chance.choice((0, 2))
        relay.plan = place.plan(first, reset=reset)
        deed(world, resends)
        try:
            world.require_balance()
        except AssertionError as error:
            raise AssertionError(f"{place}, reset {reset}, {resends} more tries: {error}") from error
        counts["given up" if resends == 0 else "tried again"] += 1
    spent = sum(world.tally.begun.values(), Decimal(0))
    print(
        f"\n{deed.__name__}: {len(places)} cuts, {dict(counts)}; {len(world.tally.begun)} orders for {spent}, "
        f"{world.tally.tokens} tokens sold and in the purse"
    )


def _exchange(world: World, relay: CuttingRelay, deed: Deed, before: Before) -> list[Crossed]:
    """Do a deed once without a cut and return what crossed."""
    before(world)
    first = len(relay.crossed)
    deed(world, 2)
    crossed = relay.crossed[first:]
    assert crossed
    world.require_balance()
    return crossed


_EVERY_OCTET = {"token purchase": (buys_tokens, lambda _: None), "registration": (registers, _bought)}
_BOUNDARIES: dict[str, tuple[Deed, Before]] = {
    "service request": (subscribes, _free),
    "service request for a film": (buys_a_film, lambda _: None),
    "renewal": (renews, _bought),
    "unsubscribe": (leaves, _bought),
    "prices": (asks_for_prices, lambda _: None),
    "account": (asks_for_the_account, lambda _: None),
    "keys": (asks_for_a_key, _subscribed),
    "deregistration": (deregisters, _subscribed),
}


@pytest.mark.parametrize("what", _EVERY_OCTET)
def test_some_octets(world: World, what: str) -> None:
    deed, before = _EVERY_OCTET[what]
    places = list(every_octet(_exchange(world, world.ua, deed, before)))
    _cut(world, world.ua, deed, before, random.Random(_SEED).sample(places, 16))


@pytest.mark.nightly
@pytest.mark.parametrize("what", _EVERY_OCTET)
def test_every_octet(world: World, what: str) -> None:
    deed, before = _EVERY_OCTET[what]
    _cut(world, world.ua, deed, before, list(every_octet(_exchange(world, world.ua, deed, before))))


@pytest.mark.parametrize("what", _BOUNDARIES)
def test_some_boundaries(world: World, what: str) -> None:
    deed, before = _BOUNDARIES[what]
    places = list(boundaries(_exchange(world, world.ua, deed, before)))
    _cut(world, world.ua, deed, before, random.Random(_SEED).sample(places, 4))


@pytest.mark.nightly
@pytest.mark.parametrize("what", _BOUNDARIES)
def test_every_boundary(world: World, what: str) -> None:
    deed, before = _BOUNDARIES[what]
    _cut(world, world.ua, deed, before, list(boundaries(_exchange(world, world.ua, deed, before))))


@pytest.mark.parametrize("share", [6, pytest.param(None, marks=pytest.mark.nightly)])
def test_boundaries_of_bootstrapping(world: World, share: int | None) -> None:
    places = list(boundaries(_exchange(world, world.ub, bootstraps, lambda _: None)))
    _cut(world, world.ub, bootstraps, lambda _: None, random.Random(_SEED).sample(places, share or len(places)))
    assert world.bootstrap()
