"""What a shop took an order for and the BSM does not sell: no key comes, and the registration says so."""

from __future__ import annotations

from decimal import Decimal

import pytest

from host_tools.exchange.messages.provisioning import PurchaseItem
from host_tools.exchange.messages.registration import Registration, RegistrationAnswer
from host_tools.exchange.procedures import REGISTRATION
from host_tools.headend.bsm.provisioning.shop_orders import OrderState
from host_tools.headend.catalogue.items import Catalogue
from host_tools.headend.scenario.wares import ITEM_PREFIX, MONTH, SERVICE_PREFIX, default_catalogue
from tests.support.flows import RawTerminal, raw_terminal
from tests.support.head_end import HeadEnd, head_end
from tests.unit.host_tools.headend.networks import small_scenario

pytestmark = pytest.mark.usefixtures("patient_bsm")
ITEM = PurchaseItem(ITEM_PREFIX + "one", MONTH)
SERVICE = SERVICE_PREFIX + "one"


def registers(terminal: RawTerminal, *service_ids: str) -> list[int]:
    answer = terminal.ask(REGISTRATION, Registration(service_ids).encode())
    return [code.status for code in RegistrationAnswer.decode(answer.body).codes]


def ordered(served: HeadEnd, name: str, *items: PurchaseItem) -> None:
    desk, impi = served.running.servers.selling.desk, served.network.subscriber.impi
    served.call(lambda: desk.order(impi, items, name, "127.0.0.9"))


def test_an_order_beyond_the_limit_brings_no_key() -> None:
    """The limit of the catalogue is looked at when it is sold, which is when the terminal registers."""
    made = default_catalogue(small_scenario())
    catalogue = Catalogue(made.items, made.tariffs, limit=Decimal("4.98"))
    with head_end(catalogue=catalogue) as served, raw_terminal(served) as terminal:
        servers, impi = served.running.servers, served.network.subscriber.impi
        ordered(served, "order 1", ITEM)
        assert registers(terminal, SERVICE, ITEM.service_id) == [200, 403]
        assert terminal.take(1) == 1  # of what is included, and no more
        assert served.call(lambda: servers.books.outbox.orders(impi)) == ()
        order = served.call(lambda: servers.selling.desk.find(impi, "order 1"))
        assert order is not None
        assert order.state is OrderState.FAILED
        registered = served.call(lambda: servers.keys.registration(impi))
        assert registered is not None
        assert registered.service_ids == (SERVICE,)
        assert served.call(lambda: servers.selling.sales.ledger.spent(impi)) == ()
        assert served.defects == 0


def test_one_of_two_items_that_were_ordered_brings_no_key() -> None:
    """The order is sold with a registration for both; a pull before that opens nothing either."""
    other = PurchaseItem(ITEM_PREFIX + "two", MONTH)
    with head_end() as served, raw_terminal(served) as terminal:
        servers, impi = served.running.servers, served.network.subscriber.impi
        ordered(served, "order 1", ITEM, other)
        assert registers(terminal, ITEM.service_id) == [403]
        assert served.call(lambda: servers.keys.registration(impi)) is None
        assert ITEM.service_id not in served.call(lambda: servers.keys.entitled(impi))
        assert served.call(lambda: (servers.books.outbox.orders(impi), servers.pushes.sender.resent)) == ((), 0)
        assert registers(terminal, ITEM.service_id, other.service_id) == [200, 200]
        assert terminal.take(2) == 2
        assert len(served.call(lambda: servers.selling.sales.ledger.charges(impi))) == 2
        assert served.defects == 0
