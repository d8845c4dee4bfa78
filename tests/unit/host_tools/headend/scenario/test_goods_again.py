"""What an item brings once more: keys that came with tokens come without them."""

from __future__ import annotations

from host_tools.headend.bsm.orders import OrderKind
from host_tools.headend.scenario.reading import shipped_scenario
from tests.support.head_end import head_end


def test_a_key_that_came_with_tokens_comes_without() -> None:
    with head_end(scenario=shipped_scenario("pay_per_time")) as served:
        goods, sales = served.network.goods, served.running.servers.selling.sales
        item = next(item for item in sales.catalogue.items if item.included)
        (first,) = goods.of_item(item).orders
        (again,) = goods.again(item)
        assert (first.kind, first.key, first.credits) == (OrderKind.KEY, again.key, True)
        assert (again.kind, again.credits) == (OrderKind.KEY, False)
        assert again.extension != first.extension
        assert goods.again(item, (first,)) == ()
