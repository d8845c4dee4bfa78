"""One request to a BSM: what is asked, what it answers, and the keys that come after it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from card.errors import EncodeError
from host_tools.exchange.messages.msk import MskAnswer, MskName
from host_tools.exchange.messages.orders import (
    RenewalRequest,
    ServiceRequest,
    UnsubscribeRequest,
)
from host_tools.exchange.messages.pricing import PricedItem, PricingAnswer, PricingRequest
from host_tools.exchange.messages.provisioning import ItemResult, ProvisioningStatus, PurchaseItem
from host_tools.exchange.messages.registration import RegistrationAnswer
from host_tools.exchange.messages.tokens import (
    AccountAnswer,
    AccountInquiry,
    KeyWish,
    Scope,
    TokenPurchaseAnswer,
    TokenPurchaseRequest,
    Tokens,
)
from host_tools.exchange.status import is_success
from host_tools.sessions.errors import SessionError, Trouble
from host_tools.sessions.online.opening import Online
from host_tools.terminal.client.errands import Answer, Outcome
from host_tools.terminal.client.errands import Trouble as ErrandTrouble
from host_tools.terminal.client.wishes import Deregister, OrderMessage, Register, RequestKeys, Wish
from host_tools.terminal.ltkm_receipt import LtkmReceipt
from host_tools.terminal.online import error_of

_KEPT = "; the order is kept, and the next command sends it again"


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a request, under which B-TID (or NAI) it went out, and what came of the LTKMs after it."""

    b_tid: str
    answer: Answer
    receipts: tuple[LtkmReceipt, ...] = ()

    @property
    def refused(self) -> tuple[str, ...]:
        """What the BSM did not grant, by name."""
        match self.answer:
            case RegistrationAnswer(codes):
                return tuple(code.service_id for code in codes if not is_success(code.status))
            case MskAnswer(keys):
                return tuple(key_text(code.name) for code in keys if not is_success(code.status))
            case _:
                results, status = results_of(self.answer), self.answer.status
                whole = () if status is ProvisioningStatus.SUCCESS else (words_of(status),)
                bad = [one.item for one in results if one.status is not ProvisioningStatus.SUCCESS]
                return tuple(map(item_text, bad)) or whole

    @property
    def grants_keys(self) -> bool:
        """Whether something was granted that keys follow from."""
        match self.answer:
            case RegistrationAnswer(codes):
                return any(is_success(code.status) for code in codes)
            case MskAnswer(keys):
                return any(is_success(code.status) for code in keys)
            case AccountAnswer():
                return False
            case TokenPurchaseAnswer(status=status):
                return status is ProvisioningStatus.SUCCESS
            case _:
                return any(one.status is ProvisioningStatus.SUCCESS for one in self.answer.results)

    @property
    def all_taken(self) -> bool:
        """Whether the card took every LTKM that came."""
        return all(receipt.taken for receipt in self.receipts)


class OfferKind(Enum):
    """How an item is sold, by what its price is for; the value is the word for it."""

    SUBSCRIPTION = "subscription"
    ONCE = "pay per view"
    TOKENS = "tokens"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that is sold: the item with its price, how it is sold, until when the subscriber has it, if it has.

    `may` are the commands that make sense now: `buy`, `renew`, `unsubscribe`.
    """

    priced: PricedItem
    kind: OfferKind
    held: ItemResult | None
    may: tuple[str, ...]

    @classmethod
    def of(cls, priced: PricedItem, held: ItemResult | None) -> Offer:
        """Take an item as Pricing Information has it, and as the account has it."""
        price = next(iter(priced.prices), None)
        kind = _KINDS.get("" if price is None else price.kind or "", OfferKind.OTHER)
        if held is None or kind is OfferKind.TOKENS:
            return cls(priced, kind, held, (_BUY,))
        again = (_BUY,) if kind is not OfferKind.SUBSCRIPTION else ()
        renews = (_RENEW,) if held.window is not None and kind is OfferKind.SUBSCRIPTION else ()
        return cls(priced, kind, held, (*again, *renews, _END))


_BUY, _RENEW, _END = "buy", "renew", "unsubscribe"
_KINDS = {"period": OfferKind.SUBSCRIPTION, "once": OfferKind.ONCE, "token": OfferKind.TOKENS}


def results_of(answer: Answer) -> Sequence[ItemResult]:
    """Return what an answer says of each item; none for one that is not about items."""
    match answer:
        case RegistrationAnswer() | MskAnswer():
            return ()
        case AccountAnswer():
            return answer.items
        case _:
            return answer.results


def register(online: Online, service_ids: Sequence[str]) -> Reply:
    """Register for these services, too; without one for all that is listed by the network or in force.

    Raises as `_asked`.
    """
    wanted = tuple(service_ids) or online.service_ids
    return _asked(registering(online), Register(wanted, only=bool(service_ids)))


def deregister(online: Online, service_ids: Sequence[str]) -> Reply:
    """Leave these services, or all. Raises as `_asked`."""
    wanted = tuple(service_ids) or online.terminal.journal_items or online.service_ids
    return _asked(registering(online), Deregister(wanted))


def request_keys(online: Online, names: Sequence[MskName]) -> Reply:
    """Ask for these keys, or the current one of each group that the card has a key of. Raises as `_asked`."""
    wanted = tuple(names) or online.terminal.groups_held()
    if not wanted:
        raise SessionError("the card has no key yet, so name the KEY to ask for, or register first", Trouble.DIFFERENT)
    return _asked(online, RequestKeys(wanted))


def buy(online: Online, items: Sequence[PurchaseItem]) -> Reply:
    """Buy or subscribe to items. Raises as `_asked`."""
    return _order(online, ServiceRequest(new_request_id(), tuple(items)))


def buy_tokens(online: Online, items: Sequence[PurchaseItem], keys: Sequence[KeyWish], tokens: Tokens | None) -> Reply:
    """Buy tokens, or keys by their names. Raises as `_asked`."""
    return _order(online, TokenPurchaseRequest(new_request_id(), tuple(items), tuple(keys), tokens))


def renew(online: Online, items: Sequence[PurchaseItem]) -> Reply:
    """Prolong subscriptions. Raises as `_asked`."""
    return _order(online, RenewalRequest(new_request_id(), tuple(items)))


def unsubscribe(online: Online, items: Sequence[PurchaseItem]) -> Reply:
    """End subscriptions; the keys that nothing else uses become invalid. Raises as `_asked`."""
    return _order(online, UnsubscribeRequest(new_request_id(), tuple(items)))


def prices(online: Online, items: Sequence[PurchaseItem]) -> Reply:
    """Ask what items cost. Raises as `_asked`."""
    return _order(online, PricingRequest(new_request_id(), tuple(items)), follows=False)


def offers(online: Online) -> tuple[Reply, tuple[Offer, ...]]:
    """Ask what there is to buy, and what of it the subscriber has. Raises as `_asked`."""
    reply = _order(online, PricingRequest(new_request_id(), ()), follows=False)
    if not isinstance(reply.answer, PricingAnswer) or reply.refused:
        return reply, ()
    has = _order(online, AccountInquiry(new_request_id(), Scope.ITEMS), follows=False)
    held = {one.item.service_id: one for one in results_of(has.answer)}
    return reply, tuple(Offer.of(one, held.get(one.item.service_id)) for one in reply.answer.results)


def account(online: Online, scope: Scope) -> Reply:
    """Ask what the subscriber has. Raises as `_asked`."""
    return _order(online, AccountInquiry(new_request_id(), scope), follows=False)


def new_request_id() -> str:
    """Return the identity of a request, which no other has."""
    return secrets.token_hex(16)


def key_text(name: MskName) -> str:
    """Return a key as the command line has it: key domain and MSK ID in hex."""
    return f"{name.key_domain_id.hex()}/{name.msk_id.hex()}"


def item_text(item: PurchaseItem) -> str:
    """Return an item as the command line has it."""
    return item.global_id if item.data_id is None else f"{item.global_id},{item.data_id}"


def words_of(status: ProvisioningStatus) -> str:
    """Return a status code for a person."""
    return f"{int(status):03d} {status.name.lower().replace('_', ' ')}"


def result_text(result: ItemResult) -> str:
    """Return what came of an item, for a person."""
    until = "" if result.window is None else f", from {result.window.start} to {result.window.end}"
    prices = (" ".join(filter(None, (str(one.amount), one.currency, one.kind))) for one in result.prices)
    return ", ".join((words_of(result.status) + until, *prices))


def registering(online: Online) -> Online:
    """Return a terminal that registers. Raises `SessionError` for one that does not."""
    if not online.registers:
        words = "a terminal with a CSIM neither registers nor deregisters: buy, or ask for keys"
        raise SessionError(words, Trouble.MISUSE)
    return online


def _order(online: Online, message: OrderMessage, *, follows: bool = True) -> Reply:
    try:
        wish = online.terminal.wish_for(message)
    except EncodeError as error:
        raise SessionError(f"this cannot be asked for: {error}", Trouble.MISUSE) from None
    return _asked(online, wish, follows=follows)


def _asked(online: Online, wish: Wish, *, follows: bool = True) -> Reply:
    """Ask, and wait for the keys that follow. A refusal of service provisioning is an answer, too.

    Raises `SessionError` by way of `online_errors`, `TerminalError`, `LinkError`.
    """
    outcome: Outcome = online.terminal.ask(wish)
    if outcome.answer is None:
        failure = outcome.failure
        assert failure is not None, "an outcome is an answer or a failure"
        if failure.trouble is ErrandTrouble.NOTHING_TO_ASK:
            raise SessionError("there is nothing to ask for: name a SERVICE, an ITEM or a KEY", Trouble.MISUSE)
        raise error_of(failure, _KEPT if online.terminal.keeps(wish) else "")
    reply = Reply(outcome.b_tid, outcome.answer)
    if not (follows and reply.grants_keys):
        return reply
    return Reply(outcome.b_tid, outcome.answer, online.terminal.listen())
