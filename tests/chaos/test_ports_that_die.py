"""Every step of terminal and BSM through a port that dies, before the step and after it; then the books must balance.

A terminal that dies is a process that ends there: nothing runs after it, and the next one has its card and journal. A
BSM whose database fails goes on: the request or datagram is as good as never come, or everything of it was kept.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection

from host_tools.exchange.messages.orders import ServiceRequest, UnsubscribeRequest
from host_tools.exchange.messages.tokens import AccountInquiry, PurseKind, TokenPurchaseRequest, Tokens
from host_tools.headend.store.database import Database
from host_tools.headend.store.papers import StoredRequests
from host_tools.terminal.client.wishes import Deregister, Order
from tests.flows.offers import FILM_ASKED, ITEM1, TOKENS
from tests.support.chaos.mortal import Died, Fate
from tests.support.chaos.sheet import Sheet
from tests.support.chaos.world import World

_NUMBERS = itertools.count()
_MOST_STEPS = 400


@pytest.fixture
def world(tmp_path: Path, store_url: str, sheet: Sheet) -> Iterator[World]:
    with World(tmp_path, store=store_url, sheet=sheet) as made:
        yield made


def buys_tokens(world: World, fate: Fate) -> object:
    order = Order(TokenPurchaseRequest(f"dies-{next(_NUMBERS)}", items=(TOKENS,)))
    return world.buy(order, Decimal(2), 10, fate)


def buys_bare_tokens(world: World, fate: Fate) -> object:
    """Tokens by their number, which are no item: there is nothing to register for."""
    order = Order(TokenPurchaseRequest(f"dies-{next(_NUMBERS)}", tokens=Tokens(PurseKind.USER, 10)))
    return world.buy(order, Decimal(1), 10, fate)


def buys_and_must_register(world: World, fate: Fate) -> object:
    order = Order(ServiceRequest(f"dies-{next(_NUMBERS)}", (FILM_ASKED,)))
    return world.buy(order, Decimal("1.50"), 0, fate)


def buys_tokens_before_a_new_smk(world: World, fate: Fate) -> object:
    """The SMK changes while tokens are on their way: the next life begins with a new one."""
    try:
        return buys_tokens(world, fate)
    finally:
        world.bootstrap()


def subscribes_or_leaves(world: World, fate: Fate) -> object:
    has = ITEM1.service_id in world.books().rights
    message = (UnsubscribeRequest if has else ServiceRequest)(f"dies-{next(_NUMBERS)}", (ITEM1,))
    return world.buy(Order(message), Decimal(0) if has else Decimal("4.99"), 0, fate)


Deed = Callable[[World, Fate], object]
_DEEDS = (
    buys_tokens_before_a_new_smk,
    pytest.param(buys_tokens, marks=pytest.mark.nightly),
    pytest.param(buys_and_must_register, marks=pytest.mark.nightly),
    pytest.param(subscribes_or_leaves, marks=pytest.mark.nightly),
)


@pytest.mark.parametrize("deed", _DEEDS)
@pytest.mark.parametrize("after", [False, True])
def test_the_terminal_dies_at_every_step(world: World, deed: Deed, after: bool) -> None:
    deaths = Counter[str]()
    for at in range(1, _MOST_STEPS):
        fate, died = Fate(at, after), False
        try:
            deed(world, fate)
        except Died as death:
            died = True
            deaths[str(death)] += 1
            world.sheet.deaths += 1
        try:
            world.require_balance()
        except AssertionError as error:
            raise AssertionError(f"it died at step {at} ({fate.calls[-1]}), after it {after}: {error}") from error
        if not died:
            break
    assert sum(deaths.values()) == at - 1 >= 8
    assert world.served.defects == 0


class Failing:
    """Lets the n-th statement or the n-th commit of a database fail, before or after it, once.

    SQLite fails as a disk does. PostgreSQL ends the connection, as when the server is restarted: what fails then is the
    statement itself, and whatever comes after it.
    """

    def __init__(self, database: Database, url: str, patched: pytest.MonkeyPatch) -> None:
        self.fate = Fate()
        self._url = url
        self._run = database.run
        patched.setattr(database, "run", self._statement)
        commit = Connection.commit
        patched.setattr(
            Connection, "commit", lambda connection: self._meet("commit", connection, lambda: commit(connection))
        )
        self._database = database

    def _statement(self, statement: Any, values: Any = None) -> Any:
        return self._meet("statement", self._database.connection, lambda: self._run(statement, values))

    def _meet(self, name: str, connection: Connection, call: Callable[[], Any]) -> Any:
        try:
            return self.fate.meet(name, call)
        except Died:
            if not self._url.startswith("postgresql:"):
                raise sqlite3.OperationalError("disk I/O error") from None
        self._cut(connection)
        if self.fate.after:
            raise psycopg.OperationalError("the connection is gone, and with it the answer")
        return call()

    def _cut(self, connection: Connection) -> None:
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        with closing(psycopg.connect(self._url, autocommit=True)) as other:
            other.execute("SELECT pg_terminate_backend(%s, 10000)", (driver.info.backend_pid,))


_NIGHT = pytest.mark.nightly


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("deed", "store_url", "stride"),
    [
        (buys_tokens, "sqlite", 7),
        (subscribes_or_leaves, "sqlite", 7),
        (buys_tokens, "postgresql", 7),
        *(
            pytest.param(deed, store, 1, marks=_NIGHT)
            for deed in (buys_tokens, subscribes_or_leaves)
            for store in ("sqlite", "postgresql")
        ),
    ],
    indirect=["store_url"],
)
def test_the_database_fails_at_every_step(
    world: World, deed: Deed, after: bool, stride: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = Failing(world.store.database, world.store_url, monkeypatch)
    for at in range(1, _MOST_STEPS, stride):
        failing.fate = Fate(at, after)
        with suppress(Died):
            deed(world, Fate())
        calls, failing.fate = failing.fate.calls, Fate()
        try:
            world.require_balance()
        except AssertionError as error:
            raise AssertionError(f"step {at} ({calls[-1]}) failed, after it {after}: {error}") from error
        if len(calls) < at:
            break
        world.sheet.failures += 1
    assert world.sheet.failures >= 5


@pytest.mark.parametrize("after", [False, True])
def test_one_with_nothing_but_tokens_settles_them_with_its_next_request(world: World, after: bool) -> None:
    """It has nothing to register for; the card took the tokens under the SMK before (after), or did not."""
    _dies_at(world, "TerminalMiddleware.deliver", 1, buys_bare_tokens, after=after)
    world.bootstrap()
    world.ask(Order(AccountInquiry("where-are-they")))
    world.require_balance()
    pushes = world.served.running.servers.pushes
    assert (pushes.sender.believed, pushes.sender.reminted) == ((1, 0) if after else (0, 1))


def test_a_deregistration_gives_no_tokens_twice(world: World) -> None:
    """The card took them under the SMK before, and the BSM does not know."""
    _dies_at(world, "TerminalMiddleware.deliver", 1)
    world.bootstrap()
    world.ask(Deregister((TOKENS.service_id,)))
    world.require_balance()
    assert world.served.running.servers.pushes.sender.believed == 1


@pytest.fixture
def spoilt(tmp_path: Path) -> Iterator[World]:
    """A world that goes wrong, and is not counted with the others."""
    with World(tmp_path) as made:
        yield made


def test_the_books_see_a_charge_too_many(spoilt: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A BSM that knows no requestID again charges twice."""
    monkeypatch.setattr(StoredRequests, "find", lambda *_: None)
    _dies_at(spoilt, "HttpTransport.exchange", 2)
    with pytest.raises(AssertionError, match="spent="):
        spoilt.require_balance()


def test_the_books_see_a_credit_too_many(spoilt: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A BSM that believes no terminal makes tokens anew that the card has."""
    monkeypatch.setattr("host_tools.headend.http.key_management.find_taken", lambda *_: ())
    _dies_at(spoilt, "TerminalMiddleware.deliver", 1)
    spoilt.bootstrap()
    with pytest.raises(AssertionError, match="purses="):
        spoilt.require_balance()


def _dies_at(world: World, call: str, number: int, deed: Deed = buys_tokens, *, after: bool = True) -> None:
    """Let a terminal die at the n-th call of this name while it buys tokens."""
    deed(world, Fate())  # the first bootstraps
    learned = Fate()
    deed(world, learned)
    places = [at for at, name in enumerate(learned.calls, 1) if name == call]
    with pytest.raises(Died):
        deed(world, Fate(places[number - 1], after))
