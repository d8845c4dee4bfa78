"""An errand: one request to the BSM, what may still be tried for it, and what follows from its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from http import HTTPStatus
from itertools import dropwhile
from types import MappingProxyType

from host_tools.exchange.http import Headers, HttpResponse
from host_tools.exchange.messages.msk import MskAnswer, MskRequest
from host_tools.exchange.messages.orders import (
    RenewalAnswer,
    RenewalRequest,
    ServiceAnswer,
    ServiceRequest,
    UnsubscribeAnswer,
    UnsubscribeRequest,
)
from host_tools.exchange.messages.pricing import PricingAnswer
from host_tools.exchange.messages.provisioning import ItemResult, ProvisioningStatus, PurchaseItem
from host_tools.exchange.messages.registration import Deregistration, Registration, RegistrationAnswer
from host_tools.exchange.messages.tokens import (
    AccountAnswer,
    AccountInquiry,
    Scope,
    TokenPurchaseAnswer,
    TokenPurchaseRequest,
)
from host_tools.exchange.names import TAKEN_HEADER, taken_header
from host_tools.exchange.procedures import (
    ACCOUNT,
    DEREGISTRATION,
    MSK_REQUEST,
    PRICING,
    REGISTRATION,
    SERVICE_REQUEST,
    SUBSCRIPTION_RENEWAL,
    TOKEN_PURCHASE,
    UNSUBSCRIBE,
    Procedure,
)
from host_tools.exchange.status import is_success
from host_tools.terminal.client.awaited import Names
from host_tools.terminal.client.journal import MOST_STOCK, Item, Journal, Pending
from host_tools.terminal.client.states import State
from host_tools.terminal.client.waits import Waits
from host_tools.terminal.client.wishes import Deregister, Order, Register, RequestKeys, Resume, TakeStock, Wish

Answer = (
    RegistrationAnswer
    | MskAnswer
    | ServiceAnswer
    | RenewalAnswer
    | UnsubscribeAnswer
    | TokenPurchaseAnswer
    | PricingAnswer
    | AccountAnswer
)
_OrderOfItems = ServiceRequest | RenewalRequest | UnsubscribeRequest | TokenPurchaseRequest
_READ: Mapping[str, Callable[[bytes], Answer]] = MappingProxyType(
    {
        REGISTRATION.name: RegistrationAnswer.decode,
        DEREGISTRATION.name: RegistrationAnswer.decode,
        MSK_REQUEST.name: MskAnswer.decode,
        SERVICE_REQUEST.name: ServiceAnswer.decode,
        SUBSCRIPTION_RENEWAL.name: RenewalAnswer.decode,
        UNSUBSCRIBE.name: UnsubscribeAnswer.decode,
        TOKEN_PURCHASE.name: TokenPurchaseAnswer.decode,
        PRICING.name: PricingAnswer.decode,
        ACCOUNT.name: AccountAnswer.decode,
    }
)
_ORDERS: Mapping[str, Callable[[bytes], _OrderOfItems]] = MappingProxyType(
    {
        SERVICE_REQUEST.name: ServiceRequest.decode,
        SUBSCRIPTION_RENEWAL.name: RenewalRequest.decode,
        UNSUBSCRIBE.name: UnsubscribeRequest.decode,
        TOKEN_PURCHASE.name: TokenPurchaseRequest.decode,
    }
)
_COSTLY = {one.name: one for one in (SERVICE_REQUEST, SUBSCRIPTION_RENEWAL, UNSUBSCRIBE, TOKEN_PURCHASE)}
"""What is written down before it goes out, so that it is sent again under its requestID after a crash."""
_OK = ProvisioningStatus.SUCCESS


class Trouble(Enum):
    """Why an errand came to nothing."""

    REFUSED = "the BSM refuses"
    BUSY = "the BSM is busy"
    NO_SERVER = "no server answers"
    CARD = "the card refuses"
    NOT_ADMITTED = "the terminal is not admitted"
    NOT_AUTHENTIC = "the answer is not taken"
    NOTHING_TO_ASK = "there is nothing to ask for"
    LEFT = "the terminal was ended before"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why, in words; `status` is that of HTTP where one came."""

    trouble: Trouble
    words: str
    status: int | None = None
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a wish: an answer, or a failure; a refusal of service provisioning has both."""

    wish: Wish
    b_tid: str
    answer: Answer | None = None
    failure: Failure | None = None


@dataclass(slots=True)
class Errand:
    """One request, and what may still be tried for it."""

    wish: Wish
    patient: bool
    procedure: Procedure
    asking: State
    body: bytes = b""
    request_id: str = ""
    resends: int = 0
    stale: int = 0
    renewals: int = 0
    failures: int = 0
    not_before: datetime | None = None
    """Until when it backs off."""

    def read(self, response: HttpResponse) -> Answer:
        """Read the answer, with the purchase data that were ordered where it leaves them out. Raises `DecodeError`."""
        answer = _READ[self.procedure.name](self.procedure.require_answer(response))
        match answer:
            case ServiceAnswer() | RenewalAnswer() | UnsubscribeAnswer() | TokenPurchaseAnswer():
                ordered = _ORDERS[self.procedure.name](self.body).items
                return replace(answer, results=tuple(_as_ordered(one, ordered) for one in answer.results))
            case _:
                return answer

    def fresh(self, waits: Waits) -> None:
        """Begin to count anew, as after a waiting time."""
        self.resends, self.stale, self.renewals = waits.resends, waits.stale, waits.renewals


def _as_ordered(result: ItemResult, ordered: tuple[PurchaseItem, ...]) -> ItemResult:
    """Add the purchase data of the one item that was ordered under this name: both make the serviceID."""
    meant = [item for item in ordered if item.global_id == result.item.global_id]
    if result.item.data_id is not None or len(meant) != 1:
        return result
    return replace(result, item=replace(result.item, data_id=meant[0].data_id))


def errand_for(wish: Wish, *, patient: bool) -> Errand:
    """Return the errand for a wish; what it says is written when its turn comes."""
    match wish:
        case Register():
            return Errand(wish, patient, REGISTRATION, State.REGISTER)
        case Deregister():
            return Errand(wish, patient, DEREGISTRATION, State.DEREGISTER)
        case RequestKeys():
            return Errand(wish, patient, MSK_REQUEST, State.REQUEST)
        case Order(message):
            return Errand(wish, patient, message.procedure, State.REQUEST, request_id=message.request_id)
        case Resume(pending):
            procedure = _COSTLY[pending.procedure]
            return Errand(wish, patient, procedure, State.REQUEST, pending.body, request_id=pending.request_id)
        case TakeStock(request_id):
            return Errand(wish, patient, ACCOUNT, State.REQUEST, request_id=request_id)


def may_resume(pending: Pending) -> bool:
    """Tell whether a request of a journal is one that can be sent again."""
    return pending.procedure in _COSTLY


def write(errand: Errand, journal: Journal, now: datetime) -> bool:
    """Write the request of an errand whose turn has come; False where there is nothing to ask for.

    One that costs is noted in the journal, which is to be saved then. Raises `EncodeError`.
    """
    match errand.wish:
        case Register(service_ids, only):
            wanted = service_ids if only else tuple(dict.fromkeys((*journal.items, *service_ids)))
            errand.body = Registration(wanted).encode()
            return bool(wanted)
        case Deregister(service_ids):
            wanted = service_ids or tuple(journal.items)
            errand.body = Deregistration(wanted).encode()
            return bool(wanted)
        case RequestKeys(names):
            errand.body = MskRequest(names).encode()
            return bool(names)
        case Order(message):
            errand.body = message.encode()
            if errand.procedure.name in _COSTLY:
                journal.begin(Pending(message.request_id, errand.procedure.name, errand.body, now))
            return True
        case Resume():
            return True
        case TakeStock(request_id):
            errand.body = AccountInquiry(request_id, Scope.ITEMS).encode()
            return True


def brings_keys(wish: Wish) -> bool:
    """Tell whether keys follow from what is asked for, and so go to where the terminal is registered."""
    match wish:
        case Order(message):
            return message.procedure.name in _COSTLY
        case RequestKeys() | TakeStock(before=True):
            return True
        case _:
            return False


def taken_headers(errand: Errand, journal: Journal) -> Headers:
    """Return what an errand tells the BSM beside its body: LTKMs that the card took (ours).

    To be asked for each time that it goes out, as one may have come since. A registration that names none says so by
    itself; any other request says it with an empty value.
    """
    taken = [(one.b_tid, one.counter) for one in journal.to_tell]
    if not taken and errand.asking is State.REGISTER:
        return ()
    return ((TAKEN_HEADER, taken_header(taken)),)


@dataclass(slots=True)
class Consequences:
    """What follows from an answer: keys to wait for (None for none at all), and wishes, at once or later.

    `goes_on`: the keys are waited for as long as that was to be, and not anew. `denied` are keys that the BSM does not
    give. `bought` and `ended` are what an order brought that went past the client.
    """

    awaited: Names | None = None
    goes_on: bool = False
    denied: Names = ()
    wishes: list[Wish] = field(default_factory=list)
    later: list[Wish] = field(default_factory=list)
    bought: tuple[Item, ...] = ()
    ended: tuple[str, ...] = ()


def consequences(errand: Errand, answer: Answer, journal: Journal, address: str = "") -> Consequences:
    """Note an answer in the journal, which is to be saved then, and return what follows.

    `address` is the one that was asked from.
    """
    found = Consequences()
    journal.answered(errand.request_id)
    match answer:
        case RegistrationAnswer() if errand.asking is State.DEREGISTER:
            # A service that is left is in force no longer; one that the BSM does not know was never. One for which the
            # BSM is busy still is. It is left when that is wanted again: by then it may have been registered for anew.
            left = (code.service_id for code in answer.codes if code.status != HTTPStatus.SERVICE_UNAVAILABLE)
            journal.drop_items(left)
            journal.address = address if journal.is_registered else ""
        case RegistrationAnswer():
            _registered(answer, journal, found)
            journal.address = address if journal.is_registered else ""
        case MskAnswer():
            names = tuple(code.name for code in answer.codes if is_success(code.status))
            found.awaited = names or None
            found.goes_on = isinstance(errand.wish, RequestKeys) and errand.wish.awaited
            found.denied = tuple(code.name for code in answer.codes if code.status == HTTPStatus.FORBIDDEN)
            busy = tuple(code.name for code in answer.codes if code.status == HTTPStatus.SERVICE_UNAVAILABLE)
            if busy:
                found.later.append(RequestKeys(busy))
        case ServiceAnswer() | RenewalAnswer():
            _bought(answer.results, journal, found, address)
        case TokenPurchaseAnswer():
            _bought(answer.results, journal, found, address)
            if answer.status is _OK:
                found.awaited = ()
            if answer.registration_required and not found.wishes:
                found.wishes.append(Register())
        case UnsubscribeAnswer():
            journal.drop_items(one.item.service_id for one in answer.results if one.status is _OK)
        case AccountAnswer() if isinstance(errand.wish, TakeStock) and errand.wish.before:
            if journal.stock is None:  # else an earlier order is open, too: what was before that counts
                journal.stock = tuple(one.item.service_id for one in answer.items)[:MOST_STOCK]
                journal.stock_is_cut = answer.more
        case AccountAnswer() if isinstance(errand.wish, TakeStock):
            _stock_taken(answer, journal, found, address)
        case _:
            pass
    return found


def _registered(answer: RegistrationAnswer, journal: Journal, found: Consequences) -> None:
    accepted = [code.service_id for code in answer.codes if is_success(code.status)]
    # One that names a few services leaves the others as they are (TS 33.246 clause 6.3.2.1A).
    others = set(journal.items).difference(code.service_id for code in answer.codes)
    for code in answer.codes:
        if is_success(code.status):
            journal.put_item(journal.items.get(code.service_id, Item(code.service_id)))
        elif code.status != HTTPStatus.SERVICE_UNAVAILABLE:
            journal.items.pop(code.service_id, None)
    busy = tuple(code.service_id for code in answer.codes if code.status == HTTPStatus.SERVICE_UNAVAILABLE)
    if busy:
        found.later.append(Register(busy))
    journal.is_registered = bool(accepted) or (journal.is_registered and bool(others))
    journal.told()
    found.awaited = () if accepted else None


def _stock_taken(answer: AccountAnswer, journal: Journal, found: Consequences, address: str) -> None:
    """Take up what an order brought or ended that went past the client, by what the account had before and has now.

    Where the BSM did not say what it had before, what the terminal knew of it counts. Where the BSM may not know that
    the terminal is here, it registers, or nobody would take the keys. Where an answer could not hold all, the oldest
    items are missing: they are not gone, and what is listed before the first known one is not new.
    """
    now = {one.item.service_id: one for one in answer.items}
    before = tuple(name for name in journal.items if name in now) if journal.stock is None else journal.stock
    listed = dropwhile(lambda name: name not in before, now) if journal.stock_is_cut else now
    journal.stock, journal.stock_is_cut = None, False
    fresh = [now[name] for name in listed if name not in before]
    found.ended = () if answer.more else tuple(name for name in before if name not in now)
    known = journal.is_registered and journal.address == address  # before the orders: the BSM took them up one by one
    if found.ended:
        journal.drop_items(found.ended)
    for name in [name for name in now if name in journal.items]:  # it may have been renewed
        journal.put_item(_item(now[name]))
    _bought(tuple(fresh), journal, found, address)
    found.bought = tuple(map(_item, fresh))
    if fresh and not known and not found.wishes:
        found.wishes.append(Register())


def _item(result: ItemResult) -> Item:
    return Item(result.item.service_id, result.window.end if result.window else None)


def _bought(results: tuple[ItemResult, ...], journal: Journal, found: Consequences, address: str) -> None:
    """Take up what was bought: it is registered for with that, unless the BSM wants a registration of its own."""
    bought = [result for result in results if result.status is _OK]
    for result in bought:
        journal.put_item(_item(result))
    if any(result.registration_required for result in bought):
        found.wishes.append(Register())
    elif bought:
        journal.address = journal.address if journal.is_registered else address
        journal.is_registered = True
        found.awaited = ()
