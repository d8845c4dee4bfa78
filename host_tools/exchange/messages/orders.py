"""Service Request, Subscription Renewal and Unsubscribe of OMA BCAST: requests about items.

provisional, as `provisioning` says. The LTKMs follow as datagrams.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from card.errors import DecodeError, EncodeError
from host_tools.exchange.messages.fields import number
from host_tools.exchange.messages.provisioning import (
    ItemResult,
    ProvisioningStatus,
    PurchaseItem,
    few,
    ours,
    request_id,
    status,
)
from host_tools.exchange.procedures import SERVICE_REQUEST, SUBSCRIPTION_RENEWAL, UNSUBSCRIBE, Procedure
from host_tools.exchange.xml_text import Node, parse_document, write_document

_LARGEST_TYPE = 255
_MOST_NAMES = 16
_LONGEST_NAME = 256


@dataclass(frozen=True, slots=True)
class Name:
    """A name of user or device and its type; provisional, the numbers of the types are recalled.

    Users: 0 user name, 1 IMSI, 2 URI, 3 IMPI, 4 MSISDN, 5 MIN. Devices: 0 DVB, 1 IMEI, 2 MEID.
    """

    kind: int
    text: str

    @classmethod
    def read(cls, found: Node) -> Name:
        """Read the element. Raises `DecodeError`."""
        if not 0 < len(found.text) <= _LONGEST_NAME:
            raise DecodeError(f"a name has 1 to {_LONGEST_NAME} characters")
        return cls(number(found.attribute("type"), "the type of a name", _LARGEST_TYPE), found.text)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends a request, by its own word: what the digest says decides."""

    users: tuple[Name, ...] = ()
    devices: tuple[Name, ...] = ()

    def nodes(self) -> tuple[Node, ...]:
        """Return the elements."""
        return tuple(
            ours(name, text=one.text, attributes={"type": str(one.kind)})
            for name, names in (("UserID", self.users), ("DeviceID", self.devices))
            for one in names
        )

    @classmethod
    def read(cls, root: Node) -> Sender:
        """Read the elements of a request. Raises `DecodeError`."""
        users, devices = root.all("UserID"), root.all("DeviceID")
        if len(users) + len(devices) > _MOST_NAMES:
            raise DecodeError(f"the message has more than {_MOST_NAMES} names of its sender")
        return cls(tuple(map(Name.read, users)), tuple(map(Name.read, devices)))


NOBODY = Sender()


@dataclass(frozen=True, slots=True)
class ItemRequest:
    """A request about one item or more, or none where it `may_be_empty`.

    `request_id` names it: sent twice, it acts once.
    """

    request_id: str
    items: tuple[PurchaseItem, ...]
    sender: Sender = NOBODY
    root: ClassVar[str]
    procedure: ClassVar[Procedure]
    may_be_empty: ClassVar[bool] = False

    def encode(self) -> bytes:
        """Return the document. Raises `EncodeError`."""
        if not (self.items or self.may_be_empty):
            raise EncodeError("a request names one item at least")
        children = (*self.sender.nodes(), *(item.node() for item in self.items))
        return write_document(ours(self.root, children, attributes={"requestID": self.request_id}))

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read the document. Raises `DecodeError`."""
        return cls.read(parse_document(body, cls.root))

    @classmethod
    def read(cls, root: Node) -> Self:
        """Read the root element. Raises `DecodeError`."""
        items = few(root.all("PurchaseItem"), "items")
        if not (items or cls.may_be_empty):
            raise DecodeError("the request names no item")
        return cls(request_id(root.attribute("requestID")), tuple(map(PurchaseItem.read, items)), Sender.read(root))


@dataclass(frozen=True, slots=True)
class ItemAnswer:
    """The answer: what came of the whole, and of each item."""

    request_id: str
    results: tuple[ItemResult, ...]
    status: ProvisioningStatus = ProvisioningStatus.SUCCESS
    root: ClassVar[str]

    def encode(self) -> bytes:
        """Return the document. Raises `EncodeError`."""
        attributes = {"requestID": self.request_id, "globalStatusCode": str(int(self.status))}
        return write_document(ours(self.root, tuple(result.node() for result in self.results), attributes=attributes))

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read the document. Raises `DecodeError`."""
        root = parse_document(body, cls.root)
        results = tuple(map(ItemResult.read, few(root.all("PurchaseItem"), "items")))
        return cls(request_id(root.attribute("requestID")), results, status(root.attribute("globalStatusCode")))


class ServiceRequest(ItemRequest):
    """Buys or subscribes."""

    __slots__ = ()
    root = "ServiceRequest"
    procedure = SERVICE_REQUEST


class ServiceAnswer(ItemAnswer):
    """Answers a `ServiceRequest`."""

    __slots__ = ()
    root = "ServiceResponse"


class RenewalRequest(ItemRequest):
    """Prolongs subscriptions."""

    __slots__ = ()
    root = "SubscriptionRenewalRequest"
    procedure = SUBSCRIPTION_RENEWAL


class RenewalAnswer(ItemAnswer):
    """Answers a `RenewalRequest`, with the new window of each item."""

    __slots__ = ()
    root = "SubscriptionRenewalResponse"


class UnsubscribeRequest(ItemRequest):
    """Ends subscriptions."""

    __slots__ = ()
    root = "UnsubscribeRequest"
    procedure = UNSUBSCRIBE


class UnsubscribeAnswer(ItemAnswer):
    """Answers an `UnsubscribeRequest`."""

    __slots__ = ()
    root = "UnsubscribeResponse"
