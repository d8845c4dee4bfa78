"""Selling without a wire: windows, expiry, money, what is owed, and who is not asked to register."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

import pytest

from card.spec.bcast.p1 import P1
from host_tools.exchange.messages.orders import (
    Name,
    RenewalRequest,
    Sender,
    ServiceAnswer,
    ServiceRequest,
    UnsubscribeRequest,
)
from host_tools.exchange.messages.pricing import PricingAnswer, PricingRequest
from host_tools.exchange.messages.provisioning import (
    HTTP_STATUS_OF,
    MOST_ITEMS,
    Price,
    ProvisioningStatus,
    PurchaseItem,
)
from host_tools.exchange.messages.tokens import (
    AccountAnswer,
    AccountInquiry,
    KeyWish,
    PurseKind,
    Scope,
    TokenPurchaseAnswer,
    TokenPurchaseRequest,
    Tokens,
)
from host_tools.exchange.xml_text import LARGEST_DOCUMENT
from host_tools.headend.bsm.memory_books import memory_books
from host_tools.headend.bsm.orders import Order, OrderKind
from host_tools.headend.bsm.provisioning.delivery import SalesDelivery
from host_tools.headend.bsm.provisioning.ledger import (
    MOST_CHARGES,
    MOST_DEBTS,
    MOST_SUBSCRIPTIONS,
    Charge,
    Debt,
    Ledger,
    Subscription,
)
from host_tools.headend.bsm.provisioning.procedures import Buyer, Outcome, Procedures
from host_tools.headend.bsm.provisioning.sales import SaleRefusedError, Sales
from host_tools.headend.catalogue.items import Catalogue, CatalogueError, CatalogueItem, ItemKind
from host_tools.headend.clock import ManualClock
from host_tools.headend.errors import HeadendError
from host_tools.headend.scenario.goods import ScenarioGoods
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.scenario.wares import default_catalogue
from tests.flows import offers
from tests.flows.offers import ASKED, BOTH, FILM, ITEM1, TOKENS, UNKNOWN
from tests.unit.host_tools.headend.networks import subscriber

_Status = ProvisioningStatus
USIM, CSIM = Buyer("a@example.org", "b-tid@bsf"), Buyer("n@example.org", "n@example.org")
ME = USIM.identity


@dataclass
class Desk:
    """Everything that sells, and a clock."""

    sales: Sales
    goods: ScenarioGoods
    clock: ManualClock
    procedures: Procedures
    network: UsimNetwork

    def account(self) -> AccountAnswer:
        return AccountAnswer.decode(self.procedures.run(AccountInquiry("a", Scope.ALL), USIM).body)

    def buy(self, *items: PurchaseItem, order: str = "o", buyer: Buyer = USIM) -> Outcome:
        return self.procedures.run(ServiceRequest(order, items), buyer)


def desk(catalogue: Catalogue | None = None, scenario: str = "") -> Desk:
    plan = shipped_scenario(scenario) if scenario else offers.scenario()
    network = UsimNetwork(plan, subscriber(), tables=P1)
    clock = ManualClock(plan.start)
    sold = catalogue or (default_catalogue(plan) if scenario else offers.catalogue())
    sales = Sales(sold, Ledger(memory_books().records), network.goods, clock)
    return Desk(sales, network.goods, clock, Procedures(sales), network)


def test_a_window_ends_and_is_purged() -> None:
    """What is over is purged from the books, gives no right, and must be bought anew; no LTKM goes out for that."""
    found = desk()
    bought = ServiceAnswer.decode(found.buy(ITEM1).body)
    window = bought.results[0].window
    assert window is not None
    assert window.end - window.start == timedelta(days=30)
    assert found.sales.may_receive(ME, ITEM1.service_id)
    found.clock.advance(30 * 86_400 - 1)
    assert found.sales.may_receive(ME, ITEM1.service_id)
    found.clock.advance(1)
    assert not found.sales.may_receive(ME, ITEM1.service_id)
    assert found.account().items == ()
    assert found.sales.ledger.subscriptions(ME) == ()
    renewed = found.procedures.run(RenewalRequest("r", (ITEM1,)), USIM)
    assert (renewed.status, renewed.orders) == (_Status.NO_SUBSCRIPTION, ())
    assert found.buy(ITEM1, order="o2").status is _Status.SUCCESS


def test_a_subscription_is_not_sold_twice() -> None:
    found = desk()
    assert found.buy(ITEM1).enrolled == (ITEM1.service_id,)
    again = found.buy(ITEM1, UNKNOWN, order="o2")
    assert again.status is _Status.OPERATION_NOT_PERMITTED  # all failed: the code of the first
    assert (again.enrolled, again.orders) == ((), ())
    assert found.sales.ledger.spent(ME) == (Price(Decimal("4.99"), "EUR"),)


def test_nobody_spends_more_than_the_limit() -> None:
    found = desk(offers.catalogue(more='limit = "10"\n'))
    assert found.buy(BOTH).status is _Status.SUCCESS
    assert found.buy(ITEM1, order="o2").status is _Status.CHARGING_ERROR
    assert found.buy(TOKENS, order="o3").status is _Status.SUCCESS
    assert sum(one.amount for one in found.sales.ledger.spent(ME)) == Decimal("9.99")
    assert [(one.order, one.what) for one in found.sales.ledger.charges(ME)] == [
        ("o", BOTH.service_id), ("o3", TOKENS.service_id)
    ]  # fmt: skip


def test_a_csim_is_not_asked_to_register() -> None:
    """(R-)UIM and CSIM do not register after a purchase (clause 5.4.7.2.4, note)."""
    asked = ServiceAnswer.decode(desk().buy(ASKED).body).results[0]
    assert asked.registration_required is True
    outcome = desk().buy(ASKED, buyer=CSIM)
    assert ServiceAnswer.decode(outcome.body).results[0].registration_required is False
    assert outcome.enrolled == (ASKED.service_id,)


def test_what_is_owed_comes_with_the_registration_once() -> None:
    found = desk()
    outcome = found.buy(ASKED)
    assert (outcome.enrolled, outcome.orders) == ((), ())
    delivery = SalesDelivery(found.sales, found.goods)
    assert delivery.registered(ME, ("urn:other",)) == ()
    assert list(delivery.registered(ME, (ASKED.service_id,))) == [Order.for_key("one")]
    assert found.sales.ledger.owed(ME) == ()
    assert list(delivery.registered(ME, (ASKED.service_id,))) == [Order.for_key("one")]  # the key itself, again


def test_tokens_that_were_paid_for_are_never_given_twice_by_a_registration() -> None:
    found = desk()
    (order,) = found.procedures.run(TokenPurchaseRequest("t", items=(TOKENS,)), USIM).orders
    assert (order.kind, order.credits) == (OrderKind.WITHOUT_KEY, True)
    delivery = SalesDelivery(found.sales, found.goods)
    assert delivery.registered(ME, (TOKENS.service_id,)) == ()
    key = found.network.bsm.keys("pay")[0]
    assert delivery.asked(ME, (TOKENS.service_id,), key, ()) is None
    found.buy(FILM, order="o2")
    (again,) = delivery.asked(ME, (TOKENS.service_id, FILM.service_id), key, ()) or ()
    assert (again.key, again.credits, bool(again.extension)) == (key.key_ids, False, True)


def test_a_key_is_asked_for_by_name_under_a_plain_item() -> None:
    found = desk()
    first, second = found.network.bsm.keys("one")
    delivery = SalesDelivery(found.sales, found.goods)
    assert delivery.asked(ME, (ITEM1.service_id,), second, ()) == (Order.for_key("one", second),)
    assert delivery.asked(ME, (FILM.service_id,), first, ()) is None


def test_the_cheapest_item_for_a_key_is_sold_and_one_that_is_held_costs_nothing() -> None:
    found = desk()
    key = found.network.bsm.keys("one")[0]
    wish = TokenPurchaseRequest("k", keys=(KeyWish(key.key_domain_id + key.msk_id),))
    bought = TokenPurchaseAnswer.decode(found.procedures.run(wish, USIM).body)
    assert bought.results[0].item == ITEM1  # 4.99; the others with this key cost 5 and 7.99
    again = TokenPurchaseAnswer.decode(found.procedures.run(replace(wish, request_id="k2"), USIM).body)
    assert again.charged == Price(Decimal(0), "EUR")
    assert len(found.sales.ledger.charges(ME)) == 1


def test_a_key_for_a_time_that_no_policy_covers() -> None:
    found = desk()
    key = found.network.bsm.keys("pay")[0]
    name = key.key_domain_id + key.msk_id
    covered = found.procedures.run(TokenPurchaseRequest("k", keys=(KeyWish(name, 0, 3),)), USIM)
    assert TokenPurchaseAnswer.decode(covered.body).results[0].item == FILM
    beyond = found.procedures.run(TokenPurchaseRequest("k2", keys=(KeyWish(name, 1, 4_000_000_000),)), USIM)
    assert (beyond.status, beyond.orders) == (_Status.ELEMENT_NON_EXISTENT, ())


def test_who_has_the_key_and_wants_it_gets_the_tokens_that_it_is_paid_with() -> None:
    found = desk(scenario="pay_per_time")
    found.sales.include(ME, found.sales.catalogue.items[0])
    key = found.network.bsm.keys("news")[0]
    wish = TokenPurchaseRequest("k", keys=(KeyWish(key.key_domain_id + key.msk_id, 3, 3),))
    outcome = found.procedures.run(wish, USIM)
    assert TokenPurchaseAnswer.decode(outcome.body).results[0].item.global_id.endswith(":ten-tokens")
    assert [(order.kind, order.credits) for order in outcome.orders] == [(OrderKind.WITHOUT_KEY, True)]


def test_tokens_by_number() -> None:
    found = desk()
    answer = found.procedures.run(TokenPurchaseRequest("t", tokens=Tokens(PurseKind.USER, 7)), USIM)
    assert TokenPurchaseAnswer.decode(answer.body).charged == Price(Decimal("0.70"), "EUR")
    assert [(one.kind, one.balance) for one in found.account().purses] == [(PurseKind.USER, 7)]
    none = found.procedures.run(TokenPurchaseRequest("t", tokens=Tokens(PurseKind.LIVE, 7)), USIM)
    assert none.status is _Status.ITEM_UNKNOWN
    nothing = found.procedures.run(TokenPurchaseRequest("t", tokens=Tokens(PurseKind.USER, 0)), USIM)
    assert nothing.status is _Status.ITEM_UNKNOWN


def test_what_comes_without_being_asked_for() -> None:
    """The first LTKM of pay_per_time sets a purse: it is owed once, and no registration fills the purse again."""
    found = desk(scenario="pay_per_time")
    news = found.sales.catalogue.items[0]
    assert news.included
    for _ in range(2):
        found.sales.include(ME, news)
    delivery = SalesDelivery(found.sales, found.goods)
    first = delivery.registered(ME, (news.service_id,))[0]
    assert first.credits
    (again,) = delivery.registered(ME, (news.service_id,))
    assert (again.key, again.credits) == (first.key, False)
    for sale in (found.sales.buy, found.sales.renew):
        with pytest.raises(SaleRefusedError):
            sale(ME, news, "o")
    with pytest.raises(SaleRefusedError) as refused:
        found.sales.end(ME, news)
    assert refused.value.status is _Status.OPERATION_NOT_PERMITTED
    assert found.sales.services(ME) == ()  # what comes by itself holds no key back from being withdrawn


def test_what_an_operator_withdrew_does_not_come_again() -> None:
    """Nor do its tokens, with the next request after a restart; a look at the account purges nothing of that."""
    found = desk(scenario="pay_per_time")
    news = found.sales.catalogue.items[0]
    assert found.sales.include(ME, news)
    before = found.account().purses
    found.sales.withdraw(ME, news.service_id)
    for _ in range(2):
        assert found.account().items == ()
        assert not found.sales.include(ME, news)
        assert not found.sales.may_receive(ME, news.service_id)
    assert found.account().purses == before
    with pytest.raises(HeadendError, match="has no"):
        found.sales.withdraw(ME, news.service_id)


def test_what_was_ended_is_not_owed_any_more() -> None:
    found = desk()
    found.buy(ASKED)
    ended = found.procedures.run(UnsubscribeRequest("u", (ASKED,)), USIM)
    assert ended.left == (ASKED.service_id,)
    assert found.sales.ledger.owed(ME) == ()


@pytest.mark.parametrize(
    ("sender", "buyer", "status"),
    [
        (Sender((Name(3, ME), Name(1, "a"), Name(4, "41791234567"))), USIM, _Status.SUCCESS),
        (Sender((Name(1, "b"),)), USIM, _Status.USER_AUTHENTICATION_FAILED),
        (Sender(devices=(Name(1, "imei"),)), USIM, _Status.SUCCESS),
        (Sender(devices=(Name(1, "x"),)), replace(USIM, certificate="x"), _Status.SUCCESS),
        (Sender(devices=(Name(1, "imei"),)), replace(USIM, certificate="x"), _Status.DEVICE_AUTHENTICATION_FAILED),
    ],
)
def test_names_that_contradict_the_proof(sender: Sender, buyer: Buyer, status: ProvisioningStatus) -> None:
    outcome = desk().procedures.run(PricingRequest("p", (ITEM1,), sender), buyer)
    assert outcome.status is status


@pytest.mark.parametrize(
    ("length", "held", "is_whole"), [(10, MOST_SUBSCRIPTIONS, True), (180, 150, True), (180, MOST_SUBSCRIPTIONS, False)]
)
def test_what_somebody_has_is_listed_as_far_as_a_document_holds_it(length: int, held: int, is_whole: bool) -> None:
    """Where it does not hold all, the newest are there: what was just bought is among them."""
    price, names = Price(Decimal(1), "EUR"), [f"{number:0{length}}" for number in range(held)]
    month = timedelta(days=30)
    found = desk(Catalogue([CatalogueItem("urn:", name, ItemKind.SUBSCRIPTION, price, period=month) for name in names]))
    for name in names:
        found.clock.advance(1)
        assert found.buy(PurchaseItem("urn:", name), order=name[-9:]).status is _Status.SUCCESS
    outcome = found.procedures.run(AccountInquiry("a", Scope.ALL), USIM)
    assert len(outcome.body) <= LARGEST_DOCUMENT
    answer = AccountAnswer.decode(outcome.body)
    assert [one.item.data_id for one in answer.items] == names[-len(answer.items) :]
    assert (len(answer.items) == held, answer.more) == (is_whole, not is_whole)
    assert len(answer.items) > 100


def test_a_long_list_of_short_names_is_cut_where_a_message_ends() -> None:
    items = [CatalogueItem("u:", f"{number}", ItemKind.ONCE, Price(Decimal(1), "EUR")) for number in range(300)]
    answer = PricingAnswer.decode(desk(Catalogue(items)).procedures.run(PricingRequest("p", ()), USIM).body)
    assert (len(answer.results), answer.more) == (MOST_ITEMS, True)


@pytest.mark.parametrize(
    ("title", "is_whole"), [("One", True), ("A title that a document has no room for " * 6, False)]
)
def test_what_is_sold_is_listed_as_far_as_a_document_holds_it(title: str, is_whole: bool) -> None:
    price = Price(Decimal(1), "EUR")
    items = [CatalogueItem("urn:", f"{number}", ItemKind.ONCE, price, title) for number in range(MOST_ITEMS)]
    outcome = desk(Catalogue(items)).procedures.run(PricingRequest("p", ()), USIM)
    answer = PricingAnswer.decode(outcome.body)
    assert [one.item.data_id for one in answer.results] == [str(number) for number in range(len(answer.results))]
    assert (len(answer.results) == MOST_ITEMS, answer.more) == (is_whole, not is_whole)
    assert len(answer.results) > 100


def test_books_that_are_full_say_so() -> None:
    found = desk()
    ledger, now = found.sales.ledger, found.clock.now()
    for number in range(MOST_SUBSCRIPTIONS):
        ledger.subscribe(ME, Subscription(f"urn:{number}", now))
    ledger.subscribe(ME, Subscription("urn:0", now))
    with pytest.raises(HeadendError, match="at most"):
        ledger.subscribe(ME, Subscription("urn:more", now))
    for number in range(MOST_DEBTS):
        ledger.owe(ME, Debt("o", "urn:0", Order.for_key("one"), number))
    with pytest.raises(HeadendError, match="wait"):
        ledger.owe(ME, Debt("o", "urn:0", Order.for_key("one")))
    for number in range(MOST_CHARGES + 5):
        ledger.charge(ME, Charge(str(number), "urn:0", Price(Decimal(1), "EUR"), now))
    assert [one.order for one in ledger.charges(ME)] == [str(number) for number in range(5, MOST_CHARGES + 5)]
    assert ledger.spent(ME) == (Price(Decimal(MOST_CHARGES + 5), "EUR"),)


def test_a_record_that_was_tampered_with() -> None:
    records = memory_books().records
    ledger = Ledger(records)
    ledger.subscribe(ME, Subscription("urn:0", offers.scenario().start))
    (name,) = records.of("subscription", ME)
    records.put("subscription", ME, name, b"[1]")
    with pytest.raises(HeadendError, match="cannot be read"):
        ledger.subscriptions(ME)


def test_every_status_has_a_status_of_http() -> None:
    assert set(HTTP_STATUS_OF) == set(ProvisioningStatus)


def test_what_is_for_the_own_network_only() -> None:
    """Roaming: a subscriber of another network is refused by a code of its own; ours."""
    found = desk()
    items = [replace(item, home_only=True) for item in found.sales.catalogue.items]
    with pytest.raises(CatalogueError, match="`home` names none"):
        Catalogue(items)
    sales = Sales(Catalogue(items, home="example.org"), found.sales.ledger, found.goods, found.clock)
    assert sales.buy(ME, items[0], "o").item is items[0]
    with pytest.raises(SaleRefusedError) as refused:
        sales.buy("a@elsewhere.org", items[0], "o")
    assert refused.value.status is _Status.ROAMING_AUTHORISATION_FAILED
