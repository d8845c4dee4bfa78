"""Token Purchase and Account Inquiry of OMA BCAST. provisional, as `provisioning` says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import ClassVar, TypeVar

from card.errors import DecodeError
from host_tools.exchange.messages.fields import boolean, from_base64, number, to_base64
from host_tools.exchange.messages.orders import NOBODY, Sender
from host_tools.exchange.messages.provisioning import (
    LARGEST_QUANTITY,
    ItemResult,
    Price,
    ProvisioningStatus,
    PurchaseItem,
    few,
    ours,
    request_id,
    status,
)
from host_tools.exchange.procedures import ACCOUNT, TOKEN_PURCHASE, Procedure
from host_tools.exchange.xml_text import Node, parse_document, write_document

_KEY_ID_SIZE = 7  # key domain and MSK ID
_DOMAIN_SIZE = 3
_LAST_TIMESTAMP = (1 << 32) - 1
_NOTHING: Mapping[str, str] = MappingProxyType({})
_Member = TypeVar("_Member", bound=Enum)


class PurseKind(Enum):
    """Which purse of the card."""

    USER = "user"
    LIVE = "live"
    PLAYBACK = "playback"


class Scope(Enum):
    """What an account inquiry is about."""

    ITEMS = "items"
    TOKENS = "tokens"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class KeyWish:
    """A SEK or PEK (key domain and MSK ID, 7 bytes), and for which STKM timestamps (32 bits) it is wanted."""

    key_id: bytes
    first: int | None = None
    last: int | None = None

    def node(self) -> Node:
        """Return the element."""
        limits = {"tsLow": self.first, "tsHigh": self.last}
        attributes = {name: str(value) for name, value in limits.items() if value is not None}
        return ours("KeyRequest", attributes={"keyID": to_base64(self.key_id), **attributes})

    @classmethod
    def read(cls, found: Node) -> KeyWish:
        """Read the element. Raises `DecodeError`."""
        first, last = found.attributes.get("tsLow"), found.attributes.get("tsHigh")
        return cls(
            key_id=from_base64(found.attribute("keyID"), "keyID", _KEY_ID_SIZE),
            first=None if first is None else number(first, "tsLow", _LAST_TIMESTAMP),
            last=None if last is None else number(last, "tsHigh", _LAST_TIMESTAMP),
        )


@dataclass(frozen=True, slots=True)
class Tokens:
    """So many tokens for a purse."""

    purse: PurseKind
    quantity: int

    def node(self) -> Node:
        """Return the element."""
        return ours("Tokens", attributes={"purse": self.purse.value, "quantity": str(self.quantity)})

    @classmethod
    def read(cls, found: Node) -> Tokens:
        """Read the element. Raises `DecodeError`."""
        quantity = number(found.attribute("quantity"), "quantity", LARGEST_QUANTITY)
        return cls(_member(PurseKind, found.attribute("purse")), quantity)


@dataclass(frozen=True, slots=True)
class TokenPurchaseRequest:
    """Buys tokens or keys for what the card refused."""

    request_id: str
    items: tuple[PurchaseItem, ...] = ()
    keys: tuple[KeyWish, ...] = ()
    tokens: Tokens | None = None
    sender: Sender = NOBODY
    procedure: ClassVar[Procedure] = TOKEN_PURCHASE
    root: ClassVar[str] = "TokenPurchaseRequest"

    def encode(self) -> bytes:
        """Return the document. Raises `EncodeError`."""
        wanted = (*(item.node() for item in self.items), *(key.node() for key in self.keys))
        tokens = () if self.tokens is None else (self.tokens.node(),)
        children = (*self.sender.nodes(), *wanted, *tokens)
        return write_document(ours(self.root, children, attributes={"requestID": self.request_id}))

    @classmethod
    def decode(cls, body: bytes) -> TokenPurchaseRequest:
        """Read the document. Raises `DecodeError`, also when it asks for nothing."""
        return cls.read(parse_document(body, cls.root))

    @classmethod
    def read(cls, root: Node) -> TokenPurchaseRequest:
        """Read the root element. Raises `DecodeError`."""
        tokens = root.maybe("Tokens")
        request = cls(
            request_id=request_id(root.attribute("requestID")),
            items=tuple(map(PurchaseItem.read, few(root.all("PurchaseItem"), "items"))),
            keys=tuple(map(KeyWish.read, few(root.all("KeyRequest"), "keys"))),
            tokens=None if tokens is None else Tokens.read(tokens),
            sender=Sender.read(root),
        )
        if not (request.items or request.keys or request.tokens):
            raise DecodeError("the request asks for nothing")
        return request


@dataclass(frozen=True, slots=True)
class TokenPurchaseAnswer:
    """What came of the purchase, and what it cost."""

    request_id: str
    results: tuple[ItemResult, ...] = ()
    charged: Price | None = None
    status: ProvisioningStatus = ProvisioningStatus.SUCCESS
    registration_required: bool | None = None
    root: ClassVar[str] = "TokenPurchaseResponse"

    def encode(self) -> bytes:
        """Return the document. Raises `EncodeError`."""
        children = tuple(result.node() for result in self.results)
        if self.charged is not None:
            children += (self.charged.node("Charged"),)
        extra: dict[str, str] = {}
        if self.registration_required is not None:
            extra["registrationRequired"] = "true" if self.registration_required else "false"
        return _answer(self.root, self.request_id, self.status, children, extra)

    @classmethod
    def decode(cls, body: bytes) -> TokenPurchaseAnswer:
        """Read the document. Raises `DecodeError`."""
        root = parse_document(body, cls.root)
        charged, wanted = root.maybe("Charged"), root.attributes.get("registrationRequired")
        return cls(
            request_id=request_id(root.attribute("requestID")),
            results=tuple(map(ItemResult.read, few(root.all("PurchaseItem"), "items"))),
            charged=None if charged is None else Price.read(charged),
            status=status(root.attribute("globalStatusCode")),
            registration_required=None if wanted is None else boolean(wanted, "registrationRequired"),
        )


@dataclass(frozen=True, slots=True)
class AccountInquiry:
    """Asks what the subscriber has."""

    request_id: str
    scope: Scope = Scope.ALL
    sender: Sender = NOBODY
    procedure: ClassVar[Procedure] = ACCOUNT
    root: ClassVar[str] = "AccountInquiryRequest"

    def encode(self) -> bytes:
        """Return the document. Raises `EncodeError`."""
        attributes = {"requestID": self.request_id, "scope": self.scope.value}
        return write_document(ours(self.root, self.sender.nodes(), attributes=attributes))

    @classmethod
    def decode(cls, body: bytes) -> AccountInquiry:
        """Read the document. Raises `DecodeError`."""
        return cls.read(parse_document(body, cls.root))

    @classmethod
    def read(cls, root: Node) -> AccountInquiry:
        """Read the root element. Raises `DecodeError`."""
        scope = _member(Scope, root.attributes.get("scope", Scope.ALL.value))
        return cls(request_id(root.attribute("requestID")), scope, Sender.read(root))


@dataclass(frozen=True, slots=True)
class Purse:
    """What the server has granted to a purse, of a key domain (3 bytes) where it has one.

    The card spends by itself: this is not what is left.
    """

    kind: PurseKind
    balance: int
    key_domain_id: bytes | None = None

    def node(self) -> Node:
        """Return the element."""
        domain = {} if self.key_domain_id is None else {"keyDomainID": to_base64(self.key_domain_id)}
        return ours("Purse", attributes={"kind": self.kind.value, "balance": str(self.balance), **domain})

    @classmethod
    def read(cls, found: Node) -> Purse:
        """Read the element. Raises `DecodeError`."""
        domain = found.attributes.get("keyDomainID")
        return cls(
            kind=_member(PurseKind, found.attribute("kind")),
            balance=number(found.attribute("balance"), "balance", LARGEST_QUANTITY),
            key_domain_id=None if domain is None else from_base64(domain, "keyDomainID", _DOMAIN_SIZE),
        )


@dataclass(frozen=True, slots=True)
class AccountAnswer:
    """Items in the order in which they began, purses, and what was charged so far.

    `more`: there are older items than an answer can hold.
    """

    request_id: str
    items: tuple[ItemResult, ...] = ()
    purses: tuple[Purse, ...] = ()
    charged: tuple[Price, ...] = ()
    status: ProvisioningStatus = ProvisioningStatus.SUCCESS
    more: bool = False
    root: ClassVar[str] = "AccountInquiryResponse"

    def encode(self) -> bytes:
        """Return the document. Raises `EncodeError`."""
        items, purses = (item.node() for item in self.items), (purse.node() for purse in self.purses)
        children = (*items, *purses, *(price.node("Charged") for price in self.charged))
        more = {"more": "true"} if self.more else _NOTHING
        return _answer(self.root, self.request_id, self.status, children, more)

    @classmethod
    def decode(cls, body: bytes) -> AccountAnswer:
        """Read the document. Raises `DecodeError`."""
        root = parse_document(body, cls.root)
        return cls(
            request_id=request_id(root.attribute("requestID")),
            items=tuple(map(ItemResult.read, few(root.all("PurchaseItem"), "items"))),
            purses=tuple(map(Purse.read, few(root.all("Purse"), "purses"))),
            charged=tuple(map(Price.read, few(root.all("Charged"), "prices"))),
            status=status(root.attribute("globalStatusCode")),
            more=boolean(root.attributes.get("more", "false"), "more"),
        )


def _answer(
    root: str, identity: str, code: ProvisioningStatus, children: tuple[Node, ...], extra: Mapping[str, str] = _NOTHING
) -> bytes:
    attributes = {"requestID": identity, "globalStatusCode": str(int(code)), **extra}
    return write_document(ours(root, children, attributes=attributes))


def _member(kind: type[_Member], text: str) -> _Member:
    try:
        return kind(text)
    except ValueError:
        raise DecodeError(f"{kind.__name__} is one of {', '.join(str(one.value) for one in kind)}") from None
