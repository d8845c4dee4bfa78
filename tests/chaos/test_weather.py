"""Datagrams that are lost, doubled, delayed and so reordered, under registrations, purchases and withdrawals."""

from __future__ import annotations

import itertools
import random
from decimal import Decimal
from pathlib import Path

import pytest

from host_tools.exchange.messages.msk import MskName
from host_tools.exchange.messages.orders import ServiceRequest, UnsubscribeRequest
from host_tools.exchange.messages.provisioning import PurchaseItem
from host_tools.exchange.messages.tokens import TokenPurchaseRequest
from host_tools.headend.bsm import ltkm_sender
from host_tools.terminal.client.machine import Rules
from host_tools.terminal.client.waits import Waits
from host_tools.terminal.client.wishes import Order, Register
from host_tools.terminal.online import Patience
from tests.flows.offers import BOTH, ITEM1, TOKENS
from tests.support.chaos.lossy import Weather
from tests.support.chaos.sheet import Sheet
from tests.support.chaos.world import CALM, World
from tests.support.live import wait_until

_NUMBERS = itertools.count()
_FIRST_WAIT = 0.05
"""Seconds until an LTKM goes out again: the real 2 s would make this last."""
_WEATHERS = {
    "loss": Weather(lost=0.4),
    "doubles": Weather(doubled=0.6),
    "delays": Weather(delay=0.15),
    "storm": Weather(lost=0.3, doubled=0.3, delay=0.15),
    "nothing arrives": Weather(lost=1.0),
}


_AT_NIGHT = [pytest.param(one, "sqlite", 150, marks=pytest.mark.nightly) for one in _WEATHERS]


@pytest.mark.parametrize(
    ("weather", "store_url", "rounds"),
    [
        ("storm", "sqlite", 4),
        ("nothing arrives", "sqlite", 2),
        *_AT_NIGHT,
        pytest.param("storm", "postgresql", 150, marks=pytest.mark.nightly),
    ],
    indirect=["store_url"],
)
def test_weather(
    tmp_path: Path, weather: str, store_url: str, rounds: int, sheet: Sheet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ltkm_sender, "FIRST_WAIT", _FIRST_WAIT)
    chance = random.Random(f"{weather} {rounds}")
    with World(tmp_path, chance.getrandbits(32), store=store_url, sheet=sheet) as world:
        for number in range(rounds):
            world.air.weather = _WEATHERS[weather]
            for _ in range(chance.randint(1, 3)):
                _do_something(world, chance)
            if chance.random() < 0.3:
                world.bootstrap()  # a new SMK while LTKMs are on the way
            try:
                world.require_balance()
            except AssertionError as error:
                raise AssertionError(f"round {number}: {error}") from error
        assert world.air.counts["seen"] > rounds
        assert world.served.defects == 0


def _do_something(world: World, chance: random.Random) -> None:
    request_id, items = f"weather-{next(_NUMBERS)}", world.books().items
    match chance.choice(("tokens", "tokens", "both", "one", "register")):
        case "tokens":
            world.buy(Order(TokenPurchaseRequest(request_id, items=(TOKENS,))), Decimal(2), 10)
        case "both":
            _buy_or_leave(world, request_id, BOTH, Decimal("7.99"), items)
        case "one":
            _buy_or_leave(world, request_id, ITEM1, Decimal("4.99"), items)
        case _:
            world.ask(Register(), listens=chance.choice((0.0, 0.1, 0.3)))


def _buy_or_leave(world: World, request_id: str, item: PurchaseItem, price: Decimal, items: frozenset[str]) -> None:
    if item.service_id in items:
        world.buy(Order(UnsubscribeRequest(request_id, (item,))), Decimal(0))
    else:
        world.buy(Order(ServiceRequest(request_id, (item,))), price)


def test_a_withdrawal_that_never_arrives(tmp_path: Path, sheet: Sheet, monkeypatch: pytest.MonkeyPatch) -> None:
    """The BSM gives up after its last try; when the terminal registers again, its key goes all the same."""
    monkeypatch.setattr(ltkm_sender, "FIRST_WAIT", 0.01)
    with World(tmp_path, sheet=sheet) as world:
        world.buy(Order(ServiceRequest("given-up-1", (BOTH,))), Decimal("7.99"))
        world.require_balance()
        world.buy(Order(ServiceRequest("given-up-2", (ITEM1,))), Decimal("4.99"))
        world.require_balance()
        world.air.weather = _WEATHERS["nothing arrives"]
        world.buy(Order(UnsubscribeRequest("given-up-3", (BOTH,))), Decimal(0))
        figures = world.served.running.servers.pushes.figures
        wait_until(lambda: not world.served.call(figures).outstanding)
        assert world.books().groups == {1, 2}
        world.require_balance()


def test_an_empty_card_asks_for_the_keys_that_are_announced(
    tmp_path: Path, sheet: Sheet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first LTKMs of a card are lost; which key groups the item brings the announcement of the service says."""
    monkeypatch.setattr(ltkm_sender, "FIRST_WAIT", 0.01)
    group = MskName(bytes.fromhex("00f110"), bytes.fromhex("00010000"))
    with World(tmp_path, sheet=sheet) as world:
        waits = Waits(missing=(0.5, 20.0, 20.0))
        world.rules = Rules(waits=waits, groups={"urn:example:service": (group,)})
        world.air.weather = _WEATHERS["nothing arrives"]
        with world.terminal() as terminal:
            terminal.start(stays=False)
            terminal.ask(Order(ServiceRequest("empty-1", (ITEM1,))))
            world.tally.owe("empty-1", Decimal("4.99"))
            figures = world.served.running.servers.pushes.figures
            wait_until(lambda: not world.served.call(figures).outstanding)
            assert world.books().groups == frozenset()
            world.air.weather = CALM
            terminal.listen(Patience(60.0, 0.1))  # it ends 0.1 s after the key
        assert any(b"requesttype=msk-request" in one.up for one in world.ua.crossed)
        assert world.books().groups == {1}
        world.require_balance()
