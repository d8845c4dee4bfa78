"""The six procedures of service provisioning, from a request that was read to its answer (OMA BCAST, clause 5.4.7.2).

Service Request, Subscription Renewal, Unsubscribe, Token Purchase, Pricing Information, Account Inquiry. Who asks has
proved who it is; names inside a message may not contradict that (the digest decides, ours). A mixture of items is
answered with success and a code for each; where all fail, the code of the first is that of the whole (ours).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial

from card.errors import DecodeError
from host_tools.exchange.messages.orders import (
    ItemAnswer,
    ItemRequest,
    RenewalAnswer,
    RenewalRequest,
    Sender,
    ServiceAnswer,
    ServiceRequest,
    UnsubscribeAnswer,
    UnsubscribeRequest,
)
from host_tools.exchange.messages.pricing import PricedItem, PricingAnswer, PricingRequest, TokenPrice
from host_tools.exchange.messages.provisioning import (
    MOST_ITEMS,
    ItemResult,
    Price,
    ProvisioningStatus,
    PurchaseItem,
    Window,
)
from host_tools.exchange.messages.tokens import (
    AccountAnswer,
    AccountInquiry,
    Scope,
    TokenPurchaseAnswer,
    TokenPurchaseRequest,
    Tokens,
)
from host_tools.exchange.xml_text import LARGEST_DOCUMENT, Node
from host_tools.headend.bsm.orders import Order
from host_tools.headend.bsm.provisioning.sales import SaleRefusedError, Sales, Sold
from host_tools.headend.catalogue.items import CatalogueItem

Request = ServiceRequest | RenewalRequest | UnsubscribeRequest | TokenPurchaseRequest | PricingRequest | AccountInquiry
REQUESTS: tuple[type[Request], ...] = (
    ServiceRequest,
    RenewalRequest,
    UnsubscribeRequest,
    TokenPurchaseRequest,
    PricingRequest,
    AccountInquiry,
)
READ_ONLY = (PricingRequest, AccountInquiry)
"""Requests that change nothing: they are answered anew each time, and without the digest where TLS has both proved."""
_USER_IMSI, _USER_IMPI = 1, 3
_Status = ProvisioningStatus
_Sale = Callable[[CatalogueItem, PurchaseItem], Sold]


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who asks: the identity that stays, the user name of now (B-TID or NAI), the name in its certificate, if any."""

    identity: str
    username: str
    certificate: str | None = None

    @property
    def registers(self) -> bool:
        """Whether such a terminal registers at all: (R-)UIM and CSIM, known by their NAI, do not."""
        return self.username != self.identity


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer, and what is to follow it.

    The subscriber is registered now for `enrolled` (serviceIDs), besides what it is registered for; `orders` are to be
    sent; it has left the items of `left`.
    """

    status: ProvisioningStatus
    body: bytes
    enrolled: tuple[str, ...] = ()
    orders: tuple[Order, ...] = ()
    left: tuple[str, ...] = ()


@dataclass(slots=True)
class _Following:
    """What the items of a request add up to."""

    results: list[ItemResult] = field(default_factory=list)
    enrolled: list[str] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    charged: list[Price] = field(default_factory=list)
    failed: list[ProvisioningStatus] = field(default_factory=list)
    done: int = 0
    registration: bool = False

    @property
    def status(self) -> ProvisioningStatus:
        return self.failed[0] if self.failed and not self.done else _Status.SUCCESS


def read_request(root: Node) -> Request:
    """Read the root element of any of the requests. Raises `DecodeError`."""
    for kind in REQUESTS:
        if root.name.lower() == kind.root.lower():
            return kind.read(root)
    raise DecodeError(f"{root.name} is no request of service provisioning")


class Procedures:
    """Answers requests from the books."""

    def __init__(self, sales: Sales) -> None:
        """Take what sells."""
        self._sales = sales

    def run(self, request: Request, buyer: Buyer) -> Outcome:
        """Do what a request asks for and return its answer. Raises `HeadendError` where the books are full."""
        contradicted = _contradiction(request.sender, buyer)
        if contradicted is not None:
            return Outcome(contradicted, refusal(request, contradicted))
        order = request.request_id
        match request:
            case ServiceRequest():
                return self._items(
                    request,
                    ServiceAnswer,
                    buyer,
                    lambda item, asked: self._sales.buy(buyer.identity, item, order, asked.price),
                )
            case RenewalRequest():
                return self._items(
                    request,
                    RenewalAnswer,
                    buyer,
                    lambda item, asked: self._sales.renew(buyer.identity, item, order, asked.price),
                )
            case UnsubscribeRequest():
                return self._unsubscribe(request, buyer)
            case TokenPurchaseRequest():
                return self._tokens(request, buyer)
            case PricingRequest():
                return self.prices(request)
            case AccountInquiry():
                return self._account(request, buyer)

    def prices(self, request: PricingRequest) -> Outcome:
        """Answer what items cost, whoever asks; without an item, what there is to buy, as the catalogue has it."""
        catalogue = self._sales.catalogue
        if not request.items:
            sold = tuple(_priced(item, item.reference) for item in catalogue.items if not item.included)
            tokens = tuple(TokenPrice(one.purse, one.cost(1)) for one in catalogue.tariffs)
            return _listed(
                len(sold),
                lambda count: PricingAnswer(request.request_id, sold[:count], tokens=tokens, more=count < len(sold)),
            )
        found = [(asked, catalogue.find_reference(asked)) for asked in request.items]
        results = tuple(
            PricedItem(asked, _Status.ITEM_UNKNOWN) if item is None else _priced(item, asked) for asked, item in found
        )
        status = _Status.ITEM_UNKNOWN if all(item is None for _, item in found) else _Status.SUCCESS
        return Outcome(status, PricingAnswer(request.request_id, results, status).encode())

    def _items(self, request: ItemRequest, answer: type[ItemAnswer], buyer: Buyer, sell: _Sale) -> Outcome:
        found = _Following()
        for asked in request.items:
            self._sell(found, asked, buyer, request.request_id, sell)
        return _answered(request, answer, found)

    def _sell(self, found: _Following, asked: PurchaseItem, buyer: Buyer, order: str, sell: _Sale) -> None:
        item = self._sales.catalogue.find_reference(asked)
        if item is None:
            _note_failure(found, asked, _Status.ITEM_UNKNOWN)
            return
        try:
            sold = sell(item, asked)
        except SaleRefusedError as error:
            _note_failure(found, asked, error.status)
            return
        wanted = self._follow(found, sold, buyer, order)
        found.results.append(ItemResult(_sold_as(item, asked), window=sold.window, registration_required=wanted))

    def _follow(self, found: _Following, sold: Sold, buyer: Buyer, order: str) -> bool | None:
        """Note what follows a sale; return what the answer says about registration."""
        found.done += 1
        found.charged.append(sold.price)
        item = sold.item
        if item is None:
            found.orders.extend(sold.orders)
            return None
        if item.registration_required and buyer.registers:
            self._sales.owe(buyer.identity, order, item.service_id, sold.orders)
            found.registration = True
            return True
        found.orders.extend(sold.orders)
        found.enrolled.append(item.service_id)
        return False

    def _unsubscribe(self, request: UnsubscribeRequest, buyer: Buyer) -> Outcome:
        found = _Following()
        for asked in request.items:
            item = self._sales.catalogue.find_reference(asked)
            if item is None:
                _note_failure(found, asked, _Status.ITEM_UNKNOWN)
                continue
            try:
                self._sales.end(buyer.identity, item)
            except SaleRefusedError as error:
                _note_failure(found, asked, error.status)
                continue
            found.done += 1
            found.left.append(item.service_id)
            found.results.append(ItemResult(_sold_as(item, asked)))
        return _answered(request, UnsubscribeAnswer, found)

    def _tokens(self, request: TokenPurchaseRequest, buyer: Buyer) -> Outcome:
        """Sell by item, by the name of a key, by tokens and purse: each of them that is in the request."""
        found, order = _Following(), request.request_id

        def by_item(item: CatalogueItem, asked: PurchaseItem) -> Sold:
            return self._sales.buy(buyer.identity, item, order, asked.price)

        for asked in request.items:
            self._sell(found, asked, buyer, order, by_item)
        for wish in request.keys:
            self._without_item(found, buyer, order, partial(self._sales.buy_key, buyer.identity, wish, order))
        tokens = request.tokens
        if tokens is not None:
            by_purse = partial(self._sales.buy_tokens, buyer.identity, tokens.purse, tokens.quantity, order)
            self._without_item(found, buyer, order, by_purse)
        required = found.registration if found.done else None
        answer = TokenPurchaseAnswer(order, tuple(found.results), _sum(found.charged), found.status, required)
        return _outcome(answer.encode(), found)

    def _without_item(self, found: _Following, buyer: Buyer, order: str, sell: Callable[[], Sold]) -> None:
        try:
            sold = sell()
        except SaleRefusedError as error:
            found.failed.append(error.status)
            return
        wanted = self._follow(found, sold, buyer, order)
        if sold.item is not None:
            found.results.append(ItemResult(sold.item.reference, window=sold.window, registration_required=wanted))

    def _account(self, request: AccountInquiry, buyer: Buyer) -> Outcome:
        items, purses = request.scope is not Scope.TOKENS, request.scope is not Scope.ITEMS
        ledger, catalogue = self._sales.ledger, self._sales.catalogue
        held = [(catalogue.find(one.service_id), one) for one in self._sales.in_force(buyer.identity)] if items else []
        owed = {debt.what for debt in ledger.owed(buyer.identity)} if buyer.registers else set()
        results = tuple(
            ItemResult(
                item.reference,
                window=None if one.end is None else Window(one.start, one.end),
                registration_required=True if one.service_id in owed else None,
            )
            for item, one in held
            if item is not None
        )
        whole = AccountAnswer(
            request.request_id,
            results,
            ledger.purses(buyer.identity) if purses else (),
            ledger.spent(buyer.identity),
        )
        return _listed(
            len(results),
            lambda count: replace(whole, items=results[len(results) - count :], more=count < len(results)),
        )


def refusal(request: Request, status: ProvisioningStatus) -> bytes:
    """Return the answer to a request of which nothing was done."""
    return refusal_to(request.root, request.request_id, status)


def refusal_to(root: str, request_id: str, status: ProvisioningStatus) -> bytes:
    """Return the answer to a request of this root element and requestID, of which nothing was done."""
    match root:
        case TokenPurchaseRequest.root:
            return TokenPurchaseAnswer(request_id, status=status).encode()
        case AccountInquiry.root:
            return AccountAnswer(request_id, status=status).encode()
        case PricingRequest.root:
            return PricingAnswer(request_id, (), status).encode()
        case _:
            return _ANSWERS[root](request_id, (), status).encode()


_ANSWERS: dict[str, type[ItemAnswer]] = {
    ServiceRequest.root: ServiceAnswer,
    RenewalRequest.root: RenewalAnswer,
    UnsubscribeRequest.root: UnsubscribeAnswer,
}


def _listed(count: int, made: Callable[[int], PricingAnswer | AccountAnswer]) -> Outcome:
    """Answer with as many items as a message holds: a catalogue, or what somebody has, may be longer."""
    count = min(count, MOST_ITEMS)
    answer = made(count)
    while len(body := answer.encode()) > LARGEST_DOCUMENT and count:
        count = count * LARGEST_DOCUMENT // len(body)
        answer = made(count)
    return Outcome(answer.status, body)


def _priced(item: CatalogueItem, asked: PurchaseItem) -> PricedItem:
    grant = item.tokens
    tokens = None if grant is None else Tokens(grant.purse, grant.quantity)
    return PricedItem(asked, prices=(item.priced,), title=item.title, period=item.period, tokens=tokens)


def _answered(request: ItemRequest, answer: type[ItemAnswer], found: _Following) -> Outcome:
    return _outcome(answer(request.request_id, tuple(found.results), found.status).encode(), found)


def _outcome(body: bytes, found: _Following) -> Outcome:
    return Outcome(found.status, body, tuple(found.enrolled), tuple(found.orders), tuple(found.left))


def _sold_as(item: CatalogueItem, asked: PurchaseItem) -> PurchaseItem:
    """Return an item for the answer, with the purchase data that the request may have left out.

    A terminal that does not hear them cannot register for what it bought: they are part of the serviceID.
    """
    return replace(item.reference, price=asked.price)


def _note_failure(found: _Following, asked: PurchaseItem, status: ProvisioningStatus) -> None:
    found.failed.append(status)
    found.results.append(ItemResult(asked, status))


def _sum(charged: Iterable[Price]) -> Price | None:
    """Return what was charged in all; None for nothing, or for several currencies, which one sum cannot say."""
    sums: dict[str, Decimal] = {}
    for price in charged:
        sums[price.currency] = sums.get(price.currency, Decimal(0)) + price.amount
    return next(Price(amount, currency) for currency, amount in sums.items()) if len(sums) == 1 else None


def _contradiction(sender: Sender, buyer: Buyer) -> ProvisioningStatus | None:
    """Return the code for a name in a request that is not that of who has proved to send it."""
    for name in sender.users:
        known = {_USER_IMPI: buyer.identity, _USER_IMSI: buyer.identity.partition("@")[0]}.get(name.kind, name.text)
        if name.text != known:
            return _Status.USER_AUTHENTICATION_FAILED
    for name in sender.devices:
        if buyer.certificate is not None and name.text != buyer.certificate:
            return _Status.DEVICE_AUTHENTICATION_FAILED
    return None
