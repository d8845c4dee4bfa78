"""Orders of a shop that knows no SRK, step by step without a wire."""

from __future__ import annotations

from decimal import Decimal

import pytest

from host_tools.headend.bsm.books import Books, Line, Outstanding, Route
from host_tools.headend.bsm.memory_books import memory_books
from host_tools.headend.bsm.provisioning.ledger import Ledger
from host_tools.headend.bsm.provisioning.sales import SaleRefusedError, Sales
from host_tools.headend.bsm.provisioning.shop_orders import MOST_ORDERS, ORDER_LIFE, OrderState, ShopOrders
from host_tools.headend.errors import HeadendError
from tests.flows.offers import FILM, ITEM1, TOKENS, UNKNOWN
from tests.unit.host_tools.headend.bsm.provisioning.test_sales import ME, Desk, desk


class Bench:
    """Orders over books in memory."""

    def __init__(self) -> None:
        self.desk: Desk = desk()
        self.books: Books = memory_books()
        sales = self.desk.sales
        self.sales = Sales(sales.catalogue, Ledger(self.books.records), self.desk.goods, self.desk.clock)
        self.orders = ShopOrders(self.sales, self.books.records, self.books.outbox, self.desk.clock)

    def state(self, name: str = "o") -> OrderState:
        found = self.orders.find(ME, name)
        assert found is not None
        return found.state


def test_nothing_is_sold_before_the_terminal_has_registered() -> None:
    bench = Bench()
    assert bench.orders.order(ME, (ITEM1, FILM), "o").state is OrderState.ORDERED
    assert not bench.sales.may_receive(ME, ITEM1.service_id)
    assert bench.orders.trigger(ME, "o", "http://bsm.example.org/").items == (ITEM1, FILM)
    bench.orders.registering(ME, (ITEM1.service_id,))  # one of two is not enough
    assert (bench.state(), bench.sales.ledger.spent(ME)) == (OrderState.TRIGGERED, ())
    bench.orders.registering(ME, (ITEM1.service_id, FILM.service_id))
    assert bench.state() is OrderState.REGISTERED
    assert len(bench.sales.ledger.charges(ME)) == 2
    bench.orders.registering(ME, (ITEM1.service_id, FILM.service_id))
    assert len(bench.sales.ledger.charges(ME)) == 2
    with pytest.raises(HeadendError, match="no open order"):
        bench.orders.trigger(ME, "o", "http://bsm.example.org/")


def test_sent_is_not_delivered() -> None:
    bench = Bench()
    bench.orders.order(ME, (ITEM1, TOKENS), "o")
    bench.orders.registering(ME, (ITEM1.service_id, TOKENS.service_id))
    due = bench.sales.due(ME, (ITEM1.service_id, TOKENS.service_id))
    assert len(due) == 2
    bench.books.outbox.put_line(Line(ME, Route("127.0.0.2", "b-tid"), 0.0))
    for order in due:
        bench.books.outbox.add(ME, order)
    assert bench.state() is OrderState.REGISTERED
    for number, _ in bench.books.outbox.orders(ME):
        bench.books.outbox.drop(ME, number)
    assert bench.state() is OrderState.SENT
    bench.orders.acknowledged(Outstanding(ME, "b-tid", due[0], b""))
    bench.orders.acknowledged(Outstanding(ME, "b-tid", due[0], b""))  # the same again is one of another order
    assert bench.state() is OrderState.SENT
    bench.orders.acknowledged(Outstanding(ME, "b-tid", due[1], b""))
    assert bench.state() is OrderState.DELIVERED


def test_an_order_for_which_nobody_registers_fails_after_a_day() -> None:
    bench = Bench()
    bench.orders.order(ME, (ITEM1,), "o")
    bench.desk.clock.advance(ORDER_LIFE - 1)
    assert bench.state() is OrderState.ORDERED
    bench.desk.clock.advance(1)
    assert bench.state() is OrderState.FAILED
    assert not bench.sales.may_receive(ME, ITEM1.service_id)
    bench.orders.registering(ME, (ITEM1.service_id,))
    assert bench.sales.ledger.spent(ME) == ()


def test_what_the_subscriber_has_already_is_not_sold_again() -> None:
    bench = Bench()
    item = bench.sales.catalogue.items[0]
    bench.sales.buy(ME, item, "before")
    bench.orders.order(ME, (ITEM1,), "o")
    bench.orders.registering(ME, (ITEM1.service_id,))
    assert bench.state() is OrderState.FAILED
    assert len(bench.sales.ledger.charges(ME)) == 1


def test_what_is_no_order() -> None:
    bench = Bench()
    for items in ((), (UNKNOWN,)):
        with pytest.raises(SaleRefusedError):
            bench.orders.order(ME, items, "o")
    assert bench.orders.find(ME, "o") is None


def test_orders_are_bounded_and_open_ones_stay() -> None:
    bench = Bench()
    for number in range(MOST_ORDERS):
        bench.orders.order(ME, (ITEM1,), f"o{number}")
    with pytest.raises(HeadendError, match="are open"):
        bench.orders.order(ME, (ITEM1,), "more")
    bench.desk.clock.advance(ORDER_LIFE)
    assert bench.orders.order(ME, (ITEM1,), "more").state is OrderState.ORDERED
    assert len(bench.orders.of(ME)) == MOST_ORDERS


def test_what_was_sold_long_ago_gives_way_though_nobody_acknowledged_it() -> None:
    """A subscription may have been ended before its key came."""
    bench = Bench()
    item = bench.sales.catalogue.items[0]
    for number in range(MOST_ORDERS):
        bench.orders.order(ME, (ITEM1,), f"o{number}")
        bench.orders.registering(ME, (ITEM1.service_id,))
        bench.sales.end(ME, item)
        bench.desk.clock.advance(1)
    with pytest.raises(HeadendError, match="are open"):
        bench.orders.order(ME, (ITEM1,), "more")
    bench.desk.clock.advance(ORDER_LIFE - MOST_ORDERS)
    assert bench.orders.order(ME, (ITEM1,), "more").state is OrderState.ORDERED
    assert bench.orders.find(ME, "o0") is None
    assert [one.order_id for one in bench.orders.of(ME)] == [*(f"o{n}" for n in range(1, MOST_ORDERS)), "more"]


def test_an_order_is_sold_as_a_whole_or_not_at_all() -> None:
    """It says that it has failed: then nothing of it is paid, nor owed."""
    bench = Bench()
    bench.orders.order(ME, (FILM, ITEM1), "o")
    bench.sales.buy(ME, bench.sales.catalogue.items[0], "before")
    before = bench.sales.ledger.spent(ME)
    bench.orders.registering(ME, (FILM.service_id, ITEM1.service_id))
    assert bench.state() is OrderState.FAILED
    assert (bench.sales.ledger.spent(ME), bench.sales.ledger.owed(ME)) == (before, ())
    assert not bench.sales.may_receive(ME, FILM.service_id)


def test_the_limit_is_for_an_order_as_a_whole() -> None:
    bench = Bench()
    items = [item for item in map(bench.sales.catalogue.find_reference, (FILM, ITEM1)) if item is not None]
    together = sum(item.price.amount for item in items)
    bench.sales.catalogue.limit = Decimal(together)
    bench.sales.require_for_sale(ME, items)
    bench.sales.catalogue.limit = Decimal(together) - Decimal("0.01")
    with pytest.raises(SaleRefusedError, match="may spend more"):
        bench.sales.require_for_sale(ME, items)
    bench.orders.order(ME, (FILM, ITEM1), "o")
    bench.orders.registering(ME, (FILM.service_id, ITEM1.service_id))
    assert (bench.state(), bench.sales.ledger.spent(ME)) == (OrderState.FAILED, ())
