"""Orders that went past the client, as in a web shop; and a terminal that has moved since it registered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from host_tools.exchange.messages.orders import ServiceRequest
from host_tools.exchange.messages.provisioning import ItemResult, PurchaseItem, Window
from host_tools.exchange.messages.registration import Registration
from host_tools.exchange.messages.tokens import AccountAnswer, AccountInquiry, Scope
from host_tools.exchange.procedures import ACCOUNT, REGISTRATION, SERVICE_REQUEST
from host_tools.terminal.client.events import Started, StockTaken, Wanted
from host_tools.terminal.client.journal import Item, Journal
from host_tools.terminal.client.journal_text import decode_state, encode_state
from host_tools.terminal.client.machine import Rules
from host_tools.terminal.client.way import Manners
from host_tools.terminal.client.wishes import Order, TakeStock
from tests.support.client import START, Script, Stage, demand, granted, signed

HERE = Manners("test 3gpp-gba", address="127.0.0.9")
NEWS, SPORT, FILM = (PurchaseItem(f"urn:item:{name}") for name in ("news", "sport", "film"))
END = START + timedelta(days=30)


def has(*items: PurchaseItem, registers: Iterable[PurchaseItem] = (), more: bool = False) -> Script:
    """Return what answers an account inquiry: these items until `END`; some want a registration.

    With `more` there are older ones.
    """
    wanted = tuple(registers)
    found = tuple(ItemResult(one, window=Window(START, END)) for one in items)
    found += tuple(ItemResult(one, registration_required=True) for one in wanted)
    return signed(body=AccountAnswer("x", found, more=more).encode(), kind=ACCOUNT.answer)


def registered(*services: str) -> Journal:
    return Journal(is_registered=True, address=HERE.address, items={one: Item(one) for one in services})


def around(stage: Stage) -> None:
    stage.tell(Wanted(TakeStock("before", before=True)))
    stage.tell(Wanted(TakeStock("after", before=False)))


def names(stage: Stage) -> list[str]:
    return [request.target for request in stage.sent if request.one("Authorization")]


def test_what_was_bought_is_in_force_and_what_was_ended_is_not() -> None:
    stage = Stage(demand(), has(NEWS, SPORT), has(SPORT, FILM), manners=HERE, journal=registered("urn:item:news"))
    around(stage)
    assert AccountInquiry.decode(stage.sent[-1].body).scope is Scope.ITEMS
    assert stage.journal.items == {"urn:item:film": Item("urn:item:film", END)}
    assert StockTaken((Item("urn:item:film", END),), ("urn:item:news",)) in stage.news
    assert stage.client.awaits_keys, "keys follow, as after any purchase"
    assert stage.journal.stock is None


def test_what_the_account_had_before_is_not_taken_up() -> None:
    """It may be included, or of another terminal of this subscriber: nobody asked for it here."""
    stage = Stage(demand(), has(NEWS), has(NEWS), manners=HERE, journal=registered())
    around(stage)
    assert stage.journal.items == {}
    assert not stage.client.awaits_keys
    assert not [one for one in stage.news if isinstance(one, StockTaken)]


def test_what_a_cut_account_does_not_list_is_not_gone() -> None:
    """The BSM lists the newest, as many as it can."""
    journal = registered("urn:item:news", "urn:item:sport")
    stage = Stage(demand(), has(NEWS, SPORT), has(SPORT, FILM, more=True), manners=HERE, journal=journal)
    around(stage)
    assert set(stage.journal.items) == {"urn:item:news", "urn:item:sport", "urn:item:film"}
    assert StockTaken((Item("urn:item:film", END),), ()) in stage.news


def test_what_a_cut_account_did_not_list_is_not_new() -> None:
    """Also where the terminal was ended in between."""
    stage = Stage(demand(), has(SPORT, more=True), manners=HERE, journal=registered())
    stage.tell(Wanted(TakeStock("before", before=True)))
    _, kept = decode_state(encode_state("89", {"bsm": stage.journal}).decode(), "a file")
    later = Stage(demand(), has(NEWS, SPORT, FILM), manners=HERE, journal=kept["bsm"])
    later.tell(Started(stays=False))
    assert later.journal.items == {"urn:item:film": Item("urn:item:film", END)}
    assert (later.journal.stock, later.journal.stock_is_cut) == (None, False)


def test_a_renewal_moves_the_end() -> None:
    journal = registered("urn:item:news")
    stage = Stage(demand(), has(NEWS), has(NEWS), manners=HERE, journal=journal)
    around(stage)
    assert stage.journal.items == {"urn:item:news": Item("urn:item:news", END)}


@pytest.mark.parametrize(
    ("journal", "item"),
    [
        (Journal(), has(FILM)),
        (replace(registered(), address="127.0.0.8"), has(FILM)),
        (registered(), has(registers=[FILM])),
    ],
)
def test_it_registers_where_the_bsm_does_not_know_it_or_wants_that(journal: Journal, item: Script) -> None:
    """Or the keys would go to where nobody listens."""
    first = () if journal.address != "127.0.0.8" else (granted("urn:item:sport"),)
    if first:
        journal.put_item(Item("urn:item:sport"))
    stage = Stage(demand(), *first, has(), item, granted("urn:item:film"), manners=HERE, journal=journal)
    around(stage)
    targets = names(stage)
    if first:  # it has moved: that comes first, and once
        assert targets == [REGISTRATION.target, ACCOUNT.target, ACCOUNT.target]
    else:
        assert targets == [ACCOUNT.target, ACCOUNT.target, REGISTRATION.target]
        assert Registration.decode(stage.sent[-1].body).service_ids == ("urn:item:film",)
    assert (stage.journal.is_registered, stage.journal.address) == (True, HERE.address)


def test_a_csim_does_not_register() -> None:
    stage = Stage(demand(), has(), has(FILM), manners=HERE, rules=Rules(registers=False))
    around(stage)
    assert names(stage) == [ACCOUNT.target, ACCOUNT.target]
    assert list(stage.journal.items) == ["urn:item:film"]


def test_an_order_whose_outcome_nobody_looked_up_is_looked_up_by_the_next_run() -> None:
    stage = Stage(demand(), has(NEWS), manners=HERE, journal=registered())
    stage.tell(Wanted(TakeStock("before", before=True)))
    _, kept = decode_state(encode_state("89", {"bsm": stage.journal}).decode(), "a file")
    later = Stage(demand(), has(NEWS, FILM), manners=HERE, journal=kept["bsm"])
    later.tell(Started(stays=False))
    assert list(later.journal.items) == ["urn:item:film"]
    assert later.journal.stock is None


def test_what_was_before_counts_from_the_first_order_that_is_open() -> None:
    stage = Stage(demand(), has(), has(NEWS), has(NEWS, FILM), manners=HERE, journal=registered())
    stage.tell(Wanted(TakeStock("1", before=True)))
    stage.tell(Wanted(TakeStock("2", before=True)))  # the outcome of the first was not looked up
    stage.tell(Wanted(TakeStock("3", before=False)))
    assert list(stage.journal.items) == ["urn:item:news", "urn:item:film"]


def test_what_the_terminal_knew_counts_where_the_bsm_did_not_say_what_was_before() -> None:
    """The first inquiry failed: what is in force already was not bought in the shop, and nothing was ended there."""
    journal = registered("urn:item:news", "urn:item:sport")
    stage = Stage(demand(), has(NEWS, FILM), manners=HERE, journal=journal)
    stage.tell(Wanted(TakeStock("after", before=False)))
    assert [one for one in stage.news if isinstance(one, StockTaken)] == [StockTaken((Item("urn:item:film", END),))]
    assert set(stage.journal.items) == {"urn:item:news", "urn:item:sport", "urn:item:film"}


def test_a_terminal_that_has_moved_registers_before_it_buys() -> None:
    """TS 33.246 clause 6.3.2.1A: the connection of its registration is lost. A moved registration is new at the BSM."""
    journal = replace(registered("urn:item:news"), address="127.0.0.8")
    answer = signed(body=b"", kind=SERVICE_REQUEST.answer)
    stage = Stage(demand(), granted("urn:item:news"), answer, manners=HERE, journal=journal)
    stage.tell(Wanted(Order(ServiceRequest("r", (FILM,)))))
    assert names(stage) == [REGISTRATION.target, SERVICE_REQUEST.target]
    assert stage.journal.address == HERE.address


def test_one_that_asks_what_it_has_stays_where_it_is() -> None:
    journal = replace(registered("urn:item:news"), address="127.0.0.8")
    stage = Stage(demand(), has(NEWS), manners=HERE, journal=journal)
    stage.tell(Wanted(Order(AccountInquiry("a"))))
    assert names(stage) == [ACCOUNT.target]
    assert stage.journal.address == "127.0.0.8"
