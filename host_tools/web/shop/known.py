"""The shop that knows SMK and SRK: behind the digest of Ua, so it knows who asks (seed 002, clause 5.4.7.2.9).

A form becomes a request of service provisioning, with the token of the form as its requestID, and goes the way that a
terminal's own would go: the same rights, prices, LTKMs, and the same answer when it comes twice.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus

from card.errors import CardError
from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.messages.orders import (
    ItemAnswer,
    ItemRequest,
    RenewalAnswer,
    RenewalRequest,
    ServiceAnswer,
    ServiceRequest,
    UnsubscribeAnswer,
    UnsubscribeRequest,
)
from host_tools.exchange.messages.provisioning import ProvisioningStatus
from host_tools.exchange.names import SHOP_PATH
from host_tools.exchange.ports import Clock, Rng
from host_tools.exchange.procedures import Target
from host_tools.headend.bsm.books import Outbox
from host_tools.headend.catalogue.items import CatalogueItem
from host_tools.headend.errors import HeadendError
from host_tools.headend.http.ua import Caller
from host_tools.headend.scenario.selling import Selling
from host_tools.web.forms import FormTokens
from host_tools.web.pages import Pages, Visit
from host_tools.web.rendering import Renderer, to
from host_tools.web.shop.goods import good
from host_tools.wire.visitors import VisitRefusedError

_log = logging.getLogger(__name__)
_PLACES = (("", "What there is"), ("account", "Your account"))
_CLOSING = "This shop has shown that it knows the key of your card, and you have: each page is signed."
_DONE = {"buy": "Bought: {}.", "renew": "Prolonged: {}.", "leave": "Ended: {}. Its keys are taken off the card."}
_REQUESTS: Mapping[str, tuple[type[ItemRequest], type[ItemAnswer]]] = {
    "buy": (ServiceRequest, ServiceAnswer),
    "renew": (RenewalRequest, RenewalAnswer),
    "leave": (UnsubscribeRequest, UnsubscribeAnswer),
}
_WHY = {
    ProvisioningStatus.CHARGING_ERROR: "It would cost more than may be spent.",
    ProvisioningStatus.NO_SUBSCRIPTION: "You do not have it, or it is over.",
    ProvisioningStatus.OPERATION_NOT_PERMITTED: "You have it already, or it has no end to be moved.",
    ProvisioningStatus.ITEM_UNKNOWN: "There is no such item any more.",
}


class KnownShop:
    """A `Service` of Ua for paths under `SHOP_PATH`. `defects` counts exceptions that nobody expected."""

    def __init__(self, selling: Selling, outbox: Outbox, rng: Rng, clock: Clock) -> None:
        """Take what sells, what is on its way to terminals, randomness and time."""
        self._selling = selling
        self._outbox = outbox
        self._tokens = FormTokens(rng, clock)
        self._renderer = Renderer(base=SHOP_PATH, brand="Shop of your provider", places=_PLACES, closing=_CLOSING)
        self._pages: Pages[Caller] = Pages(
            SHOP_PATH,
            self._renderer,
            {"": self._catalogue, "account": self._account},
            {act: partial(self._act, act) for act in _REQUESTS},
        )
        self.defects = 0

    def serve(self, request: HttpRequest, target: Target, caller: Caller) -> HttpResponse:
        """Answer an authenticated request for a page."""
        del target
        try:
            answer = self._pages.answer(request, caller)
            assert isinstance(answer, HttpResponse), "no page of the shop streams"
            return answer
        except VisitRefusedError as error:
            return self._pages.refused(error.status, str(error))
        except HeadendError as error:
            return self._pages.refused(HTTPStatus.CONFLICT, str(error))
        except CardError:
            return self._pages.refused(HTTPStatus.BAD_REQUEST, "the request cannot be read")
        except Exception as error:  # whoever asks must not be able to end the server
            self.defects += 1
            _log.error("the shop met an unexpected %s", type(error).__name__)
            return self._pages.refused(HTTPStatus.SERVICE_UNAVAILABLE, "the shop met an error of its own")

    def _catalogue(self, visit: Visit[Caller]) -> HttpResponse:
        sales, who = self._selling.sales, visit.who.identity
        held = {one.service_id: one for one in sales.in_force(who)}
        goods = [
            good(item, held.get(item.service_id), self._tokens.make(who))
            for item in sales.catalogue.items
            if not item.included or item.service_id in held
        ]
        return self._renderer.page("shop/catalogue.html", title="Shop", here="", who=who, goods=goods)

    def _account(self, visit: Visit[Caller]) -> HttpResponse:
        sales, who = self._selling.sales, visit.who.identity
        registered = self._selling.keys.registration(who)
        names = registered.service_ids if registered else ()
        held = []
        for one in sales.in_force(who):
            item = sales.catalogue.find(one.service_id)
            if item is None:
                continue
            acts = [] if item.included else [("leave", "End")]
            if one.end is not None and item.period is not None:
                acts.insert(0, ("renew", "Prolong"))
            held.append({
                "service_id": one.service_id, "title": _title(item), "ends": one.end,
                "registered": one.service_id in names, "acts": acts,
                "tokens": {act: self._tokens.make(who) for act, _ in acts},
            })  # fmt: skip
        done, what = visit.query.get("done", ""), sales.catalogue.find(visit.query.get("item", ""))
        return self._renderer.page(
            "shop/account.html",
            title="Your account",
            here="account",
            who=who,
            held=held,
            news=_DONE[done].format(_title(what)) if done in _DONE and what is not None else "",
            delivery=self._delivery(who),
            purses=sales.ledger.purses(who),
            charges=sales.ledger.charges(who),
            spent=sales.ledger.spent(who),
            titles={item.service_id: _title(item) for item in sales.catalogue.items},
        )

    def _delivery(self, identity: str) -> str:
        waiting = len(self._outbox.orders(identity)) + len(self._outbox.outstanding_of(identity))
        if not waiting:
            return "All keys have arrived."
        return "One key is on its way." if waiting == 1 else f"{waiting} keys are on their way."

    def _act(self, act: str, visit: Visit[Caller]) -> HttpResponse:
        """Buy, prolong or end an item."""
        name = self._tokens.check(visit.who.identity, visit.field_of("token"))
        item = self._selling.sales.catalogue.find(visit.field_of("item"))
        if item is None:
            raise VisitRefusedError(HTTPStatus.NOT_FOUND, "there is no such item")
        request, answer = _REQUESTS[act]
        status = self._order(request(name, (item.reference,)), answer, visit.who)
        if status is ProvisioningStatus.SUCCESS:
            return to(f"{SHOP_PATH}account?done={act}&item={_quoted(item.service_id)}")
        words = _WHY.get(status, f"The shop cannot do it now ({status.name.lower().replace('_', ' ')}).")
        return self._renderer.page("shop/refused.html", HTTPStatus.CONFLICT, title="Not sold", here="", words=words)

    def _order(self, asked: ItemRequest, answer: type[ItemAnswer], caller: Caller) -> ProvisioningStatus:
        """Do what a terminal's own request would do, and return its status."""
        sent = asked.procedure.build("", asked.encode())
        response = self._selling.provisioning.serve(sent, Target.parse(sent.target), caller)
        return answer.decode(response.body).status


def _title(item: CatalogueItem) -> str:
    return item.title or item.global_id


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe=":")
