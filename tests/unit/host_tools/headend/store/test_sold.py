"""What was sold is in the database: it is there after a restart, and a request that fails leaves nothing."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from host_tools.exchange.messages.provisioning import Price
from host_tools.exchange.messages.tokens import PurseKind
from host_tools.headend.bsm.provisioning.ledger import Ledger
from host_tools.headend.bsm.provisioning.sales import Sales
from host_tools.headend.bsm.provisioning.shop_orders import OrderState, ShopOrders
from host_tools.headend.store.store import Store
from tests.flows.offers import ASKED, FILM, TOKENS
from tests.unit.host_tools.headend.bsm.provisioning.test_sales import ME, Desk, desk
from tests.unit.host_tools.headend.store.conftest import KEY


def sales_over(store: Store, found: Desk) -> tuple[Sales, ShopOrders]:
    books = store.books
    sales = Sales(found.sales.catalogue, Ledger(books.records), found.goods, found.clock)
    return sales, ShopOrders(sales, books.records, books.outbox, found.clock)


def test_what_was_sold_outlives_the_process(url: str) -> None:
    found = desk()
    asked, tokens = (found.sales.catalogue.find_reference(one) for one in (ASKED, TOKENS))
    assert asked is not None
    assert tokens is not None
    store = Store.connect(url, KEY)
    with store.database.transaction():
        sales, orders = sales_over(store, found)
        sold = sales.buy(ME, asked, "o-1")
        sales.owe(ME, "o-1", asked.service_id, sold.orders)
        sales.buy(ME, tokens, "o-2")
        orders.order(ME, (FILM,), "shop-1")
    store.close()
    store = Store.connect(url, KEY)
    with store.database.transaction():
        sales, orders = sales_over(store, found)
        assert [one.service_id for one in sales.in_force(ME)] == sorted((asked.service_id, tokens.service_id))
        assert sales.ledger.spent(ME) == (Price(Decimal("7.00"), "EUR"),)
        assert [(one.order, str(one.price.amount)) for one in sales.ledger.charges(ME)] == [("o-1", "5"), ("o-2", "2")]
        assert [(one.kind, one.balance) for one in sales.ledger.purses(ME)] == [(PurseKind.USER, 10)]
        assert [debt.ltkm for debt in sales.ledger.owed(ME)] == list(sold.orders)
        assert sales.due(ME, (asked.service_id,)) == sold.orders
        assert sales.ledger.owed(ME) == ()
        shop = orders.find(ME, "shop-1")
        assert shop is not None
        assert shop.state is OrderState.ORDERED
    store.close()


def test_a_sale_that_fails_half_way_leaves_nothing(url: str) -> None:
    found = desk()
    film = found.sales.catalogue.find_reference(FILM)
    assert film is not None
    store = Store.connect(url, KEY)
    sales, _ = sales_over(store, found)

    def half_way() -> None:
        with store.database.transaction():
            sales.buy(ME, film, "o-1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half_way()
    with store.database.transaction():
        assert (sales.ledger.spent(ME), sales.in_force(ME)) == ((), ())
    store.close()


def test_a_store_with_a_key_has_no_name_of_a_shop_order_in_the_clear(tmp_path: Path) -> None:
    """Whoever has the name sees the order."""
    store = Store.connect(f"sqlite:///{tmp_path / 'a.db'}", KEY)
    with store.database.transaction():
        _, orders = sales_over(store, desk())
        orders.order(ME, (FILM,), "shop-order-1")
    with store.database.transaction():
        assert orders.owner("shop-order-1") == ME
        assert [one.order_id for one in orders.of(ME)] == ["shop-order-1"]
    store.close()
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert ME.encode() in written
    assert b"shop-order-1" not in written


def test_an_order_that_an_older_version_wrote_is_carried_out_once(url: str) -> None:
    """Its name is that of its row, in the clear until it goes on."""
    found = desk()
    store = Store.connect(url, KEY)
    with store.database.transaction():
        sales, orders = sales_over(store, found)
        stored = json.dumps(["triggered", [FILM.service_id], found.clock.now().timestamp(), []]).encode()
        store.books.records.put("shop order", ME, "shop-1", stored)
        store.books.records.put("shop order of", "shop-1", "who", ME.encode())
        for _ in range(2):
            orders.registering(ME, (FILM.service_id,))
        assert [one.order for one in sales.ledger.charges(ME)] == ["shop-1"]
        assert [(one.order_id, one.state) for one in orders.of(ME)] == [("shop-1", OrderState.REGISTERED)]
        assert "shop-1" not in store.books.records.of("shop order", ME)
        assert store.books.records.of("shop order of", "shop-1") == {}
    store.close()
