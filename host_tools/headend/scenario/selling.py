"""Puts together what a network sells and how: catalogue, books, procedures, and the answers over HTTP."""

from __future__ import annotations

from dataclasses import dataclass

from host_tools.exchange.procedures import SERVICE_REQUEST
from host_tools.headend.bsm.books import Books
from host_tools.headend.bsm.provisioning.delivery import SalesDelivery
from host_tools.headend.bsm.provisioning.goods import Goods
from host_tools.headend.bsm.provisioning.ledger import Ledger
from host_tools.headend.bsm.provisioning.procedures import Procedures
from host_tools.headend.bsm.provisioning.sales import Sales
from host_tools.headend.bsm.provisioning.shop_orders import ShopOrders
from host_tools.headend.bsm.server import Bsm
from host_tools.headend.catalogue.items import Catalogue
from host_tools.headend.clock import NetworkClock
from host_tools.headend.http.certified import CertifiedTerminals
from host_tools.headend.http.client_id import AnyTerminal, ClientIdRule, ClientIds, UaRoutes
from host_tools.headend.http.front import Refusals
from host_tools.headend.http.key_management import KeyManagement
from host_tools.headend.http.provisioning import ProvisioningService
from host_tools.headend.http.push import Pushes
from host_tools.headend.http.short_messages import ShortMessages
from host_tools.headend.http.trigger_desk import TriggerDesk


@dataclass(frozen=True, slots=True)
class Selling:
    """Everything about selling that servers, pages and tests want to reach."""

    sales: Sales
    keys: KeyManagement
    provisioning: ProvisioningService
    certified: CertifiedTerminals
    routes: UaRoutes
    orders: ShopOrders
    desk: TriggerDesk

    @classmethod
    def of(
        cls,
        bsm: Bsm,
        catalogue: Catalogue,
        goods: Goods,
        pushes: Pushes,
        books: Books,
        clock: NetworkClock,
        rule: ClientIdRule | None = None,
        messages: ShortMessages | None = None,
    ) -> Selling:
        """Return what sells from a catalogue; `rule` says whose client ID is wanted, by default nobody's.

        `messages` brings short messages, None: nothing does.
        """
        sales = Sales(catalogue, Ledger(books.records), goods, clock)
        orders = ShopOrders(sales, books.records, books.outbox, clock)
        pushes.sender.on_answer = orders.acknowledged
        delivery = SalesDelivery(sales, goods, orders.registering)
        keys = KeyManagement(bsm, catalogue.services(), sales, pushes, books, delivery)
        provisioning = ProvisioningService(Procedures(sales), sales, keys, books.requests, clock)
        certified = CertifiedTerminals(provisioning, Refusals(books.records), books.transactions)
        gate = ClientIds(keys, rule or AnyTerminal(), books.records, clock)
        routes = UaRoutes(gate, provisioning, lambda target: target.ends_with(SERVICE_REQUEST))
        desk = TriggerDesk(orders, keys, books, pushes, f"http://{bsm.fqdn.decode()}/", messages)
        return cls(sales, keys, provisioning, certified, routes, orders, desk)

    def include(self, identity: str) -> bool:
        """Give a subscriber every item that comes without being asked for; tell whether one had to be given.

        Raises `HeadendError`.
        """
        given = False
        for item in self.sales.catalogue.items:
            if item.included and self.sales.include(identity, item):
                given = True
        return given
