"""What an operator sees of a head-end and does with it. Each act is one transaction; what goes out goes after it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from card.codec.mikey import MikeyMessage, Timestamp
from card.errors import DecodeError
from host_tools.exchange.messages.trigger import Trigger
from host_tools.exchange.ports import Rng
from host_tools.exchange.transport import Peer
from host_tools.headend.bsm.books import Registered, Route
from host_tools.headend.bsm.orders import Order
from host_tools.headend.bsm.server import Bsm
from host_tools.headend.catalogue.items import CatalogueItem
from host_tools.headend.clock import NetworkClock
from host_tools.headend.errors import HeadendError, IdentityUnknownError
from host_tools.headend.http.front import Refusals
from host_tools.headend.http.ua import Caller
from host_tools.headend.operating.codes import OrderCodes
from host_tools.headend.operating.happenings import Happenings, Kind
from host_tools.headend.operating.picture import (
    Air,
    Bootstrapped,
    HeldItem,
    Picture,
    SekPicture,
    ServicePicture,
    SubscriberPicture,
    WaitingLtkm,
    periods_until,
)
from host_tools.headend.scenario.servers import Servers
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.service_keys import ServiceKey

A_PAGE = 50
"""Subscribers of a picture."""
_COUNTED = 1000
"""Registrations that are looked at for how many listen."""
_TRIGGER_ID_SIZE = 12
_log = logging.getLogger(__name__)


class Operator:
    """The desk of one head-end."""

    def __init__(
        self,
        network: UsimNetwork,
        servers: Servers,
        clock: NetworkClock,
        rng: Rng,
        happenings: Happenings,
        first_address: str = "",
        defects: Callable[[], int] = lambda: 0,
        roll: Callable[[str], ServiceKey] | None = None,
        is_over: Callable[[], bool] | None = None,
    ) -> None:
        """Take network, servers, time and randomness, what happens, and what went wrong.

        `roll` gives a service of a broadcast a new SEK and sends it to all, `is_over` tells whether that has ended;
        without them nothing is broadcast.
        `first_address` is where triggers go for a terminal that never registered, "" for nowhere.
        """
        self._network = network
        self.servers = servers
        self._clock = clock
        self._rng = rng
        self.first_address = first_address
        self._defects = defects
        self._roll = roll
        self._is_over = is_over
        self.happenings = happenings
        self.codes = OrderCodes(servers.books, rng)

    # --- looking

    def page(self, after: str = "", begins: str = "", most: int = A_PAGE) -> tuple[str, ...]:
        """Return the next subscribers behind a name, in order, whose names begin so."""
        with self.servers.books.transactions.transaction():
            return self._network.parts.subscribers.page(after, most, begins)

    def picture(self, after: str = "", begins: str = "") -> Picture:
        """Return the head-end as it is now, with the page of subscribers behind a name whose names begin so."""
        now, catalogue = self._clock.now(), self.servers.selling.sales.catalogue
        with self.servers.books.transactions.transaction():
            names = self.page(after, begins, A_PAGE + 1)
            shown = names[:A_PAGE]
            subscribers = tuple(self._subscriber(name, self.servers.keys.registration(name), now) for name in shown)
            services = self._services(now)
            known = self._network.parts.subscribers.count()
        items = tuple((item.service_id, item.title or item.service_id) for item in catalogue.items)
        following = shown[-1] if len(names) > len(shown) else ""
        name = self._network.scenario.name
        air = Air.NONE if self._is_over is None else Air.OVER if self._is_over() else Air.ON
        return Picture(now, name, subscribers, services, items, air, self._defects(), known, after, begins, following)

    def _services(self, now: datetime) -> tuple[ServicePicture, ...]:
        found = self.servers.books.registrations.page("", _COUNTED)
        heard = [self.servers.keys.services(one.service_ids) for _, one in found]
        whole = len(found) < _COUNTED
        return tuple(
            self._service(service.id, now, sum(service.id in one for one in heard), all_counted=whole)
            for service in self._network.scenario.services
        )

    def _subscriber(self, identity: str, registered: Registered | None, now: datetime) -> SubscriberPicture:
        books = self.servers.books
        line, held = books.outbox.line(identity), registered.service_ids if registered else ()
        route = registered.route if registered else (line.route if line else None)
        run = self._network.bsf.current(identity)
        return SubscriberPicture(
            identity,
            self.codes.of(identity),
            None if run is None else Bootstrapped(run[0], run[1], run[1] <= now),
            route.address if route else "",
            datetime.fromtimestamp(registered.heard, UTC) if registered else None,
            self._items(identity, held),
            tuple(
                _waiting(one.order, one.ltkm, line.tries if line else 0)
                for one in books.outbox.outstanding_of(identity)
            ),
            tuple(_waiting(order) for _, order in books.outbox.orders(identity)),
            self.refusals.are_for(identity),
        )

    def _items(self, identity: str, registered: Iterable[str]) -> tuple[HeldItem, ...]:
        sales = self.servers.selling.sales
        names = set(registered)
        found = []
        for one in sales.in_force(identity):
            item = sales.catalogue.find(one.service_id)
            title = item.title if item else ""
            found.append(HeldItem(one.service_id, title or one.service_id, one.end, one.service_id in names))
        return tuple(found)

    def _service(self, service: str, now: datetime, listeners: int, *, all_counted: bool) -> ServicePicture:
        bsm, (mtk_id, elapsed, period) = self._network.bsm, self._network.crypto_period(service, now)
        before, lap, seks = self._network.periods_before(now), self._network.lap, []
        for key in bsm.keys(service):
            first, last = key.first_mtk_id, key.last_mtk_id
            begins = periods_until(mtk_id, first, last, lap)
            named = key.key_domain_id.hex(), key.msk_id.hex()
            seks.append(SekPicture(*named, first, last, begins, begins + last - first))
        return ServicePicture(service, mtk_id, elapsed, period, tuple(seks), listeners, before, lap, all_counted)

    # --- acting

    @property
    def refusals(self) -> Refusals:
        """Whose requests are refused."""
        return self.servers.refusals

    def roll(self, service: str) -> None:
        """Give a service a new SEK and send it to all who are registered for the service. Raises `HeadendError`.

        For whom too many LTKMs wait already holds up nobody else, and asks for the key when an STKM names it.
        """
        if self._roll is not None:
            key = self._roll(service)  # a transaction of its own: the BSD/A hears of a SEK that is written down
            self._done(f"{service}: SEK {key.msk_id.hex()} from MTK ID {key.first_mtk_id} on, sent before that")
            return
        bsm: Bsm = self._network.bsm
        with self.servers.books.transactions.transaction():
            key = bsm.rekey(service)
            reached, left_out, after = 0, 0, ""
            while page := self.servers.books.registrations.page(after, _COUNTED):
                for identity, _ in page:
                    self.servers.books.transactions.hold(identity)
                    registered = self.servers.keys.registration(identity)
                    if registered is None or service not in self.servers.keys.services(registered.service_ids):
                        continue
                    try:
                        self.servers.pushes.order(identity, registered.route, [Order.for_key(service, key)])
                        reached += 1
                    except HeadendError:
                        left_out += 1
                after = page[-1][0]
        others = f", not to {left_out} for whom too many LTKMs wait" if left_out else ""
        self._done(f"{service}: SEK {key.msk_id.hex()} from MTK ID {key.first_mtk_id} on, sent to {reached}{others}")

    def push(self, identity: str) -> None:
        """Send a registered subscriber what it is registered for once more. Raises `HeadendError`."""
        with self.servers.books.transactions.transaction():
            registered = self._registered(identity)
            orders = self.servers.selling.sales.due(identity, registered.service_ids)
            count = self.servers.keys.send(identity, registered, orders)
        self._done(f"{count} LTKMs ordered for {identity}")

    def pull(self, identity: str) -> None:
        """Have a terminal ask for its keys, by short message where nobody knows its address. Raises `HeadendError`."""
        self._known(identity)
        way = self.servers.pulls.pull(identity)
        self._done(f"solicited pull for {identity}, by {way.value}")

    def withdraw(self, identity: str, service_id: str) -> None:
        """Take an item from a subscriber, and its keys off the card. Raises `HeadendError`."""
        sales, keys = self.servers.selling.sales, self.servers.keys
        with self.servers.books.transactions.transaction():
            self._known(identity)
            sales.withdraw(identity, service_id)
            registered = keys.registration(identity)
            if registered is not None:
                keys.leave(_caller(identity, registered.route), [service_id], sales.services(identity))
        self._done(f"{service_id} withdrawn from {identity}")

    def trigger(self, identity: str, service_ids: Iterable[str]) -> None:
        """Send a Smartcard Profile Trigger for items. Raises `HeadendError` where nobody knows the terminal's address.

        It may lead to a Registration and to nothing else: what is not bought is refused there.
        """
        with self.servers.books.transactions.transaction():
            self._known(identity)
            found = [self.servers.selling.sales.catalogue.find(one) for one in service_ids]
            items = [item for item in found if item is not None]
            if not items:
                raise HeadendError("a trigger names one item at least that is in the catalogue")
            if not self._send(identity, items):
                raise HeadendError(f"where the terminal of {identity} is, nobody knows: it never registered")
        self._done(f"trigger for {identity}")

    def refuse(self, identity: str, *, refused: bool) -> None:
        """Refuse all that a subscriber asks at the BSM, or let it in again. Raises `HeadendError`."""
        with self.servers.books.transactions.transaction():
            self._known(identity)
            self.refusals.put(identity, refused=refused)
        self._done(f"{identity} is {'refused' if refused else 'let in again'}")

    def _send(self, identity: str, items: Sequence[CatalogueItem]) -> bool:
        """Send a trigger for items; False where no way leads to the terminal."""
        desk, name = self.servers.selling.desk, self._rng.random_bytes(_TRIGGER_ID_SIZE).hex()
        trigger = Trigger(name, desk.bsm_uri, tuple(item.reference for item in items))
        return desk.send(identity, trigger, self.first_address)

    def _known(self, identity: str) -> None:
        """Hold a subscriber until the transaction ends. Raises `HeadendError` where there is none."""
        subscribers = self._network.parts.subscribers
        with self.servers.books.transactions.transaction():
            self.servers.books.transactions.hold(identity)
            for find in (subscribers.by_impi, subscribers.by_nai):
                try:
                    find(identity)
                except IdentityUnknownError:
                    continue
                return
        raise HeadendError(f"there is no subscriber {identity}")

    def _registered(self, identity: str) -> Registered:
        self._known(identity)
        found = self.servers.keys.registration(identity)
        if found is None:
            raise HeadendError(f"{identity} is not registered, so it is not known where its terminal is")
        return found

    def _done(self, words: str) -> None:
        _log.info("operator: %s", words)
        self.happenings.note(Kind.DONE, "console", words)


def _caller(identity: str, route: Route) -> Caller:
    return Caller(identity, route.b_tid, Peer(route.address), route.port)


def _waiting(order: Order, ltkm: bytes = b"", tries: int = 0) -> WaitingLtkm:
    counter = None
    if ltkm:
        try:
            counter = MikeyMessage.decode(ltkm).one(Timestamp).value
        except DecodeError:
            counter = None
    key = "" if order.key is None else f"{order.key.key_domain_id.hex()}/{order.key.msk_id.hex()}"
    return WaitingLtkm(order.kind.value, order.service, key, order.credits, counter, tries)
