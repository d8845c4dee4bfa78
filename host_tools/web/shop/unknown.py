"""The shop that knows no key of anybody (seed 002, clause 5.4.7.2.10): it takes an order and calls the terminal.

Who it is for is said by an order code. Codes that are nobody's are counted: after too many the shop takes none for a
while, so that none can be found by trying (ours).
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.ports import Clock, Rng
from host_tools.exchange.transport import Peer
from host_tools.headend.bsm.provisioning.shop_orders import ENDED, OPEN, OrderState, ShopOrder
from host_tools.headend.catalogue.items import CatalogueItem
from host_tools.headend.errors import HeadendError
from host_tools.headend.operating.operator import Operator
from host_tools.headend.scenario.selling import Selling
from host_tools.web.forms import FormTokens
from host_tools.web.pages import Answer, Pages, PageServer, Visit
from host_tools.web.rendering import Renderer, to
from host_tools.web.shop.goods import goods_for_sale
from host_tools.wire.visitors import Visitors, VisitRefusedError

_ANYBODY = "anybody"
_ITEM = "item:"
_AGAIN = 2
_MOST_ITEMS = 16
_MOST_WRONG, _WRONG_WINDOW = 20, 60.0
_CLOSING = "This shop knows no key. Your terminal shows who it is when it registers, and the shop hears of that."
_STAGES: Sequence[tuple[OrderState, str]] = (
    (OrderState.ORDERED, "The order is noted."),
    (OrderState.TRIGGERED, "The terminal was called by a Smartcard Profile Trigger."),
    (OrderState.REGISTERED, "The terminal has registered and shown who it is."),
    (OrderState.SENT, "The keys were sent."),
    (OrderState.DELIVERED, "The card has acknowledged its keys."),
)
_NOW = {
    OrderState.ORDERED: "Nobody knows yet where the terminal is: it gets its keys when it registers.",
    OrderState.TRIGGERED: "Waiting for the terminal to register.",
    OrderState.REGISTERED: "The purchase is complete; the keys follow.",
    OrderState.SENT: "The purchase is complete; the keys were sent, and the card has not answered yet.",
    OrderState.DELIVERED: "The purchase is complete, and its keys are delivered.",
    OrderState.FAILED: "Nothing was sold: the terminal did not register in time, or it may not buy this.",
}


class UnknownShop(PageServer):
    """A server of its own, open to anybody who reaches it."""

    name = "the open shop"

    def __init__(
        self,
        operator: Operator,
        selling: Selling,
        visitors: Visitors,
        rng: Rng,
        clock: Clock,
    ) -> None:
        """Take who knows codes, what sells and calls terminals, who may come, randomness and time."""
        super().__init__(Renderer(base="/", brand="Open shop", places=(("", "Order"),), closing=_CLOSING))
        self._operator = operator
        self._selling = selling
        self._visitors = visitors
        self._clock = clock
        self._tokens = FormTokens(rng, clock)
        self._wrong: list[float] = []
        self._pages: Pages[str] = Pages(
            "/",
            self._renderer,
            {"": self._open, "order": self._show},
            {"order": self._order, "call": self._call},
        )

    def _answer(self, request: HttpRequest, peer: Peer) -> Answer:
        self._visitors.check(request)
        return self._pages.answer(request, peer.address)

    def _open(self, visit: Visit[str]) -> HttpResponse:
        del visit
        return self._form()

    def _form(
        self, status: int = HTTPStatus.OK, wrong: str = "", code: str = "", picked: Sequence[str] = ()
    ) -> HttpResponse:
        return self._renderer.page(
            "shop/open.html",
            status,
            title="Open shop",
            here="",
            goods=goods_for_sale(self._selling.sales.catalogue.items),
            token=self._tokens.make(_ANYBODY),
            wrong=wrong,
            code=code,
            picked=picked,
        )

    def _order(self, visit: Visit[str]) -> HttpResponse:
        name = self._tokens.check(_ANYBODY, visit.field_of("token"))
        picked = [key.removeprefix(_ITEM) for key in visit.form if key.startswith(_ITEM)]
        found = [self._selling.sales.catalogue.find(one) for one in picked]
        items = [item for item in found if item is not None and not item.included]
        code = visit.field_of("code")
        self._require_calm()
        identity = self._operator.codes.find(code)
        if identity is None:
            self._wrong.append(self._clock.now().timestamp())
            return self._form(HTTPStatus.FORBIDDEN, "Nobody has this order code.", code, picked)
        if not items or len(items) != len(found) or len(items) > _MOST_ITEMS:
            return self._form(HTTPStatus.BAD_REQUEST, "Pick what you order.", code, picked)
        try:
            self._call_for(identity, items, name)
        except HeadendError as error:
            return self._form(HTTPStatus.CONFLICT, f"It is not sold: {error}.", code, picked)
        return to(f"/order?order={name}")

    def _show(self, visit: Visit[str]) -> HttpResponse:
        _, order = self._find(visit.query.get("order", ""))
        reached = [stage for stage, _ in _STAGES].index(order.state) if order.state is not OrderState.FAILED else -1
        stages = [
            (stage.value, words, _state(number, reached, is_over=order.state is OrderState.DELIVERED))
            for number, (stage, words) in enumerate(_STAGES)
        ]
        titles = [_title(self._selling.sales.catalogue.find(one), one) for one in order.service_ids]
        return self._renderer.page(
            "shop/order.html",
            title=f"Your order: {order.state.value}",
            here="order",
            order=order,
            titles=titles,
            stages=stages,
            words=_NOW[order.state],
            is_open=order.state not in ENDED,
            is_bad=order.state is OrderState.FAILED,
            again=_AGAIN,
            may_call=order.state in OPEN,
            token=self._tokens.make(order.order_id),
        )

    def _call(self, visit: Visit[str]) -> HttpResponse:
        name = visit.field_of("order")
        self._tokens.check(name, visit.field_of("token"))
        identity, order = self._find(name)
        if order.state in OPEN:
            items = [item for one in order.service_ids if (item := self._selling.sales.catalogue.find(one)) is not None]
            self._call_for(identity, items, order.order_id)
        return to(f"/order?order={order.order_id}")

    def _call_for(self, identity: str, items: Sequence[CatalogueItem], name: str) -> None:
        """Order under a name and call the terminal; under the same name again it is called again. Raises as `desk`."""
        address = self._operator.first_address or None
        self._selling.desk.order(identity, [item.reference for item in items], name, address)

    def _find(self, name: str) -> tuple[str, ShopOrder]:
        """Return whose order this is, and the order. Its name cannot be guessed. Raises `VisitRefusedError`."""
        if 0 < len(name) <= 64 and name.isalnum() and name.isascii():
            found = self._selling.desk.find_any(name)
            if found is not None:
                return found
        raise VisitRefusedError(HTTPStatus.NOT_FOUND, "there is no such order")

    def _require_calm(self) -> None:
        now = self._clock.now().timestamp()
        self._wrong = [at for at in self._wrong if now - at < _WRONG_WINDOW]
        if len(self._wrong) >= _MOST_WRONG:
            raise VisitRefusedError(HTTPStatus.TOO_MANY_REQUESTS, "too many wrong order codes: try again in a minute")


def _state(number: int, reached: int, *, is_over: bool) -> str:
    """Return how a stage stands: done, now, or later."""
    if is_over or number < reached:
        return "done"
    return "now" if number == reached else "later"


def _title(item: CatalogueItem | None, otherwise: str) -> str:
    return otherwise if item is None else item.title or item.global_id
