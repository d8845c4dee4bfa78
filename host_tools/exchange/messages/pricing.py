"""Pricing Information of OMA BCAST: what items cost and, where none is named, all that is sold.

provisional, as `provisioning` says. That a request without an item asks for everything, and what an answer says of an
item beside its price (name, length, tokens), are ours: OMA's terminals know items from the Service Guide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import ClassVar, Self

from card.errors import DecodeError
from host_tools.exchange.messages.fields import boolean, number
from host_tools.exchange.messages.orders import ItemRequest
from host_tools.exchange.messages.provisioning import (
    ItemResult,
    Price,
    ProvisioningStatus,
    few,
    ours,
    request_id,
    status,
)
from host_tools.exchange.messages.tokens import PurseKind, Tokens
from host_tools.exchange.procedures import PRICING
from host_tools.exchange.xml_text import Node, parse_document, write_document

_LONGEST_NAME = 256
_LONGEST_PERIOD = 100 * 366 * 86_400
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class PricedItem(ItemResult):
    """An item with its prices: its name for people, how long a subscription lasts, the tokens that it brings."""

    title: str = ""
    period: timedelta | None = None
    tokens: Tokens | None = None

    def node(self) -> Node:
        """Return the element."""
        plain = ItemResult.node(self)
        title = (ours("Name", text=self.title[:_LONGEST_NAME]),) if self.title else ()
        tokens = () if self.tokens is None else (self.tokens.node(),)
        length = {} if self.period is None else {"periodSeconds": str(int(self.period.total_seconds()))}
        return ours(plain.name, (*plain.children, *title, *tokens), attributes={**plain.attributes, **length})

    @classmethod
    def read(cls, found: Node) -> Self:
        """Read the element. Raises `DecodeError`."""
        plain = ItemResult.read(found)
        title, tokens, length = found.maybe("Name"), found.maybe("Tokens"), found.attributes.get("periodSeconds")
        if title is not None and len(title.text) > _LONGEST_NAME:
            raise DecodeError(f"the name of an item has more than {_LONGEST_NAME} characters")
        return cls(
            plain.item,
            plain.status,
            plain.window,
            plain.registration_required,
            plain.prices,
            "" if title is None else title.text,
            None if length is None else timedelta(seconds=number(length, "periodSeconds", _LONGEST_PERIOD)),
            None if tokens is None else Tokens.read(tokens),
        )


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """What one token for a purse costs where tokens are bought by number."""

    purse: PurseKind
    price: Price

    def node(self) -> Node:
        """Return the element."""
        return ours("TokenPrice", (self.price.node(),), attributes={"purse": self.purse.value})

    @classmethod
    def read(cls, found: Node) -> TokenPrice:
        """Read the element. Raises `DecodeError`."""
        try:
            purse = PurseKind(found.attribute("purse"))
        except ValueError:
            raise DecodeError("tokens are for a purse that is not known") from None
        return cls(purse, Price.read(found.one("Price")))


class PricingRequest(ItemRequest):
    """Asks what items cost; without one, what there is to buy."""

    __slots__ = ()
    root = "PricingInformationRequest"
    procedure = PRICING
    may_be_empty = True


@dataclass(frozen=True, slots=True)
class PricingAnswer:
    """Answers a `PricingRequest`. `more`: there is more than an answer can hold."""

    request_id: str
    results: tuple[PricedItem, ...]
    status: ProvisioningStatus = ProvisioningStatus.SUCCESS
    tokens: tuple[TokenPrice, ...] = ()
    more: bool = False
    root: ClassVar[str] = "PricingInformationResponse"

    def encode(self) -> bytes:
        """Return the document. Raises `EncodeError`."""
        more = {"more": "true"} if self.more else _NOTHING
        attributes = {"requestID": self.request_id, "globalStatusCode": str(int(self.status)), **more}
        children = (*(one.node() for one in self.results), *(one.node() for one in self.tokens))
        return write_document(ours(self.root, children, attributes=attributes))

    @classmethod
    def decode(cls, body: bytes) -> PricingAnswer:
        """Read the document. Raises `DecodeError`."""
        root = parse_document(body, cls.root)
        return cls(
            request_id(root.attribute("requestID")),
            tuple(map(PricedItem.read, few(root.all("PurchaseItem"), "items"))),
            status(root.attribute("globalStatusCode")),
            tuple(map(TokenPrice.read, few(root.all("TokenPrice"), "prices of tokens"))),
            boolean(root.attributes.get("more", "false"), "more"),
        )
