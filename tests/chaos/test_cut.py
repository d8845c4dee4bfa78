"""Connections that are cut: at every octet of Registration and Token Purchase, at the boundaries of everything else.

After each cut either the same terminal tries again, or it is gone and another one starts with its card and journal.
Then the books of card, store and journal are computed and must say the same.
"""

from __future__ import annotations

import itertools
import random
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
from tests.support.chaos.sheet import Sheet
from tests.support.chaos.world import World

_ITEM1_COSTS, _TOKENS_COST, _FILM_COSTS = Decimal("4.99"), Decimal(2), Decimal("1.50")
_SEED = 20261121
_SHARDS = 4
"""Into so many tests, for as many processes, each run over every octet is divided."""
_NUMBERS = itertools.count()
Deed = Callable[[World, int], object]
"""What is done, with so many tries of one terminal after the first."""
Before = Callable[[World], None]


@pytest.fixture
def world(tmp_path: Path, store_url: str, sheet: Sheet) -> Iterator[World]:
    with World(tmp_path, _SEED, store=store_url, sheet=sheet) as made:
        yield made
        assert made.served.defects == 0


def _request_id() -> str:
    """A new one, of the length that all have: else an octet of one exchange would be another of the next."""
    return f"cut-{next(_NUMBERS):06}"


def buys_tokens(world: World, resends: int) -> object:
    order = Order(TokenPurchaseRequest(_request_id(), items=(TOKENS,)))
    return world.buy(order, _TOKENS_COST, 10, resends=resends)


def registers(world: World, resends: int) -> object:
    return world.ask(Register((ITEM1.service_id,)), resends=resends)


def subscribes(world: World, resends: int) -> object:
    """Subscribe, where the end before left nothing that is in force."""
    return world.buy(Order(ServiceRequest(_request_id(), (ITEM1,))), _ITEM1_COSTS, resends=resends)


def leaves(world: World, resends: int) -> object:
    return world.buy(Order(UnsubscribeRequest(_request_id(), (ITEM1,))), Decimal(0), resends=resends)


def renews(world: World, resends: int) -> object:
    return world.buy(Order(RenewalRequest(_request_id(), (ITEM1,))), _ITEM1_COSTS, resends=resends)


def buys_a_film(world: World, resends: int) -> object:
    return world.buy(Order(ServiceRequest(_request_id(), (FILM,))), _FILM_COSTS, resends=resends)


def asks_for_prices(world: World, resends: int) -> object:
    return world.ask(Order(PricingRequest(_request_id(), (PurchaseItem(ITEM1.global_id),))), resends=resends)


def asks_for_the_account(world: World, resends: int) -> object:
    return world.ask(Order(AccountInquiry(_request_id())), resends=resends)


def asks_for_a_key(world: World, resends: int) -> object:
    key = world.served.call(lambda: world.served.network.bsm.keys("one")[0])
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
    chance = random.Random(f"{_SEED} {deed.__name__}")
    for place in places:
        before(world)
        first, reset, resends = len(relay.crossed), chance.random() < 0.5, chance.choice((0, 2))
        relay.plan = place.plan(first, reset=reset)
        deed(world, resends)
        world.sheet.cuts += 1
        try:
            world.require_balance()
        except AssertionError as error:
            raise AssertionError(f"{place}, reset {reset}, {resends} more tries: {error}") from error


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


def _some(places: Sequence[Place], number: int, deed: Deed) -> list[Place]:
    return random.Random(f"{_SEED} {deed.__name__} {number}").sample(places, number)


@pytest.mark.parametrize(
    ("what", "store_url", "number"),
    [("token purchase", "sqlite", 16), ("registration", "sqlite", 16), ("token purchase", "postgresql", 6)],
    indirect=["store_url"],
)
def test_some_octets(world: World, what: str, number: int) -> None:
    deed, before = _EVERY_OCTET[what]
    places = list(every_octet(_exchange(world, world.ua, deed, before)))
    _cut(world, world.ua, deed, before, _some(places, number, deed))


@pytest.mark.nightly
@pytest.mark.parametrize("shard", range(_SHARDS))
@pytest.mark.parametrize("store_url", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize("what", _EVERY_OCTET)
def test_every_octet(world: World, what: str, shard: int) -> None:
    deed, before = _EVERY_OCTET[what]
    places = list(every_octet(_exchange(world, world.ua, deed, before)))
    _cut(world, world.ua, deed, before, places[shard::_SHARDS])


@pytest.mark.parametrize("what", _BOUNDARIES)
def test_some_boundaries(world: World, what: str) -> None:
    deed, before = _BOUNDARIES[what]
    places = list(boundaries(_exchange(world, world.ua, deed, before)))
    _cut(world, world.ua, deed, before, _some(places, 4, deed))


@pytest.mark.nightly
@pytest.mark.parametrize("store_url", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize("what", _BOUNDARIES)
def test_every_boundary(world: World, what: str) -> None:
    deed, before = _BOUNDARIES[what]
    _cut(world, world.ua, deed, before, list(boundaries(_exchange(world, world.ua, deed, before))))


@pytest.mark.parametrize("share", [6, pytest.param(None, marks=pytest.mark.nightly)])
def test_boundaries_of_bootstrapping(world: World, share: int | None) -> None:
    places = list(boundaries(_exchange(world, world.ub, bootstraps, lambda _: None)))
    _cut(world, world.ub, bootstraps, lambda _: None, _some(places, share or len(places), bootstraps))
    assert world.bootstrap()
