"""What the messages of OMA BCAST service provisioning have in common: items, prices, purses, status codes.

provisional: that these messages exist, which of them are under the digest and what follows each is from OMA's change
requests; OMA's own XML was not at hand. Names, attributes and the namespace are ours (profile `SPROV-P1`), so that
nobody takes them for OMA's. A reader goes by local names and takes OMA's namespaces too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from http import HTTPStatus
from types import MappingProxyType

from card.errors import DecodeError
from host_tools.exchange.messages.fields import boolean, from_date_time, number, to_moment, uri
from host_tools.exchange.xml_text import Node

NAMESPACE = "urn:x-bcast-uicc:sprov:1"
"""Ours; OMA's is urn:oma:xml:bcast:pr:orderqueries:1.0 and later, whose schema was not at hand."""
REPEATED_HEADER = "X-Bcast-Uicc-Repeated"
"""Says that the answer is the stored one to an earlier request with the same requestID; ours."""
MOST_ITEMS = 256
_REQUEST_ID = re.compile(r"[!-~]{1,64}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_MONEY = re.compile(r"\+?([0-9]{1,12}(\.[0-9]{0,4}0{0,8})?|\.[0-9]{1,4}0{0,8})")
"""What xs:decimal allows of a number that is not below zero and has four decimals at most."""
_LARGEST_STATUS = 255
LARGEST_QUANTITY = (1 << 32) - 1


class ProvisioningStatus(IntEnum):
    """Status codes of service provisioning; provisional, numbers and meanings recalled.

    Any other code from 0 to 255 is read as a member `UNKNOWN`, which says no more than that it is no success: the table
    may lack some, and 128 to 255 are for private use.
    """

    SUCCESS = 0
    DEVICE_AUTHENTICATION_FAILED = 1
    USER_AUTHENTICATION_FAILED = 2
    ITEM_UNKNOWN = 3
    DEVICE_AUTHORISATION_FAILED = 4
    USER_AUTHORISATION_FAILED = 5
    DEVICE_NOT_REGISTERED = 6
    SERVER_ERROR = 7
    MALFORMED_MESSAGE = 8
    CHARGING_ERROR = 9
    NO_SUBSCRIPTION = 10
    OPERATION_NOT_PERMITTED = 11
    UNSUPPORTED_VERSION = 12
    ILLEGAL_DEVICE = 13
    AREA_NOT_ALLOWED = 14
    SERVICE_UNAVAILABLE = 15
    ALREADY_PROCESSED = 16
    ELEMENT_NON_EXISTENT = 17
    INVALID = 18
    ROAMING_AUTHORISATION_FAILED = 128  # its name is known, its number not: one of those for private use

    @classmethod
    def _missing_(cls, value: object) -> ProvisioningStatus | None:
        if not isinstance(value, int) or not 0 <= value <= _LARGEST_STATUS:
            return None
        found = int.__new__(cls, value)
        found._name_, found._value_ = "UNKNOWN", value
        return found


_Code = ProvisioningStatus
HTTP_STATUS_OF: Mapping[ProvisioningStatus, HTTPStatus] = MappingProxyType(
    {
        _Code.SUCCESS: HTTPStatus.OK,
        _Code.DEVICE_AUTHENTICATION_FAILED: HTTPStatus.FORBIDDEN,
        _Code.USER_AUTHENTICATION_FAILED: HTTPStatus.FORBIDDEN,
        _Code.ITEM_UNKNOWN: HTTPStatus.NOT_FOUND,
        _Code.DEVICE_AUTHORISATION_FAILED: HTTPStatus.FORBIDDEN,
        _Code.USER_AUTHORISATION_FAILED: HTTPStatus.FORBIDDEN,
        _Code.DEVICE_NOT_REGISTERED: HTTPStatus.FORBIDDEN,
        _Code.SERVER_ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
        _Code.MALFORMED_MESSAGE: HTTPStatus.BAD_REQUEST,
        _Code.CHARGING_ERROR: HTTPStatus.PAYMENT_REQUIRED,
        _Code.NO_SUBSCRIPTION: HTTPStatus.NOT_FOUND,
        _Code.OPERATION_NOT_PERMITTED: HTTPStatus.FORBIDDEN,
        _Code.UNSUPPORTED_VERSION: HTTPStatus.BAD_REQUEST,
        _Code.ILLEGAL_DEVICE: HTTPStatus.FORBIDDEN,
        _Code.AREA_NOT_ALLOWED: HTTPStatus.FORBIDDEN,
        _Code.SERVICE_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
        _Code.ALREADY_PROCESSED: HTTPStatus.CONFLICT,
        _Code.ELEMENT_NON_EXISTENT: HTTPStatus.NOT_FOUND,
        _Code.INVALID: HTTPStatus.BAD_REQUEST,
        _Code.ROAMING_AUTHORISATION_FAILED: HTTPStatus.FORBIDDEN,
    }
)
"""The HTTP status that goes with a global status code; ours."""


@dataclass(frozen=True, slots=True)
class Price:
    """An amount with at most four decimals, the currency in three letters, and what it is for where that is said."""

    amount: Decimal
    currency: str
    kind: str | None = None

    def node(self, name: str = "Price") -> Node:
        """Return the element."""
        kind = {} if self.kind is None else {"kind": self.kind}
        return ours(name, text=format(self.amount, "f"), attributes={"currency": self.currency, **kind})

    @classmethod
    def read(cls, found: Node) -> Price:
        """Read the element. Raises `DecodeError`."""
        currency = found.attribute("currency")
        if not _CURRENCY.fullmatch(currency) or not _MONEY.fullmatch(found.text):
            raise DecodeError("a price is a number with at most four decimals and a currency of three letters")
        return cls(Decimal(found.text), currency, found.attributes.get("kind"))


@dataclass(frozen=True, slots=True)
class PurchaseItem:
    """A purchase item, its purchase data, and the price that the terminal expects; the last two may be missing."""

    global_id: str
    data_id: str | None = None
    price: Price | None = None

    @property
    def service_id(self) -> str:
        """The serviceID of a registration for this item: both identifiers, nothing between them."""
        return self.global_id + (self.data_id or "")

    def node(self, attributes: Mapping[str, str] = MappingProxyType({}), children: tuple[Node, ...] = ()) -> Node:
        """Return the element, with what an answer adds."""
        data: tuple[Node, ...] = ()
        if self.data_id is not None:
            price = () if self.price is None else (self.price.node(),)
            data = (ours("PurchaseDataReference", price, attributes={"idRef": self.data_id}),)
        return ours("PurchaseItem", data + children, attributes={"globalIDRef": self.global_id, **attributes})

    @classmethod
    def read(cls, found: Node) -> PurchaseItem:
        """Read the element. Raises `DecodeError`."""
        global_id, data = uri(found.attribute("globalIDRef"), "globalIDRef"), found.maybe("PurchaseDataReference")
        if data is None:
            return cls(global_id)
        price = data.maybe("Price")
        return cls(global_id, uri(data.attribute("idRef"), "idRef"), None if price is None else Price.read(price))


@dataclass(frozen=True, slots=True)
class Window:
    """From when to when a subscription lasts."""

    start: datetime
    end: datetime

    def node(self) -> Node:
        """Return the element."""
        times = {"startTime": from_date_time(self.start), "endTime": from_date_time(self.end)}
        return ours("SubscriptionWindow", attributes=times)

    @classmethod
    def read(cls, found: Node) -> Window | None:
        """Read the element; None where it is open at one side. Raises `DecodeError`.

        That times are xs:dateTime is provisional; they may be seconds since 1900, as in NTP, and are read so, too.
        """
        if not {"startTime", "endTime"} <= found.attributes.keys():
            return None
        return cls(to_moment(found.attribute("startTime")), to_moment(found.attribute("endTime")))


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What came of one item; `registration_required` tells the terminal to register for it itself."""

    item: PurchaseItem
    status: ProvisioningStatus = ProvisioningStatus.SUCCESS
    window: Window | None = None
    registration_required: bool | None = None
    prices: tuple[Price, ...] = ()

    def node(self) -> Node:
        """Return the element."""
        children: tuple[Node, ...] = () if self.window is None else (self.window.node(),)
        children += tuple(price.node() for price in self.prices)
        attributes = {"itemwiseStatusCode": str(int(self.status))}
        if self.registration_required is not None:
            attributes["registrationRequired"] = "true" if self.registration_required else "false"
        return self.item.node(attributes, children)

    @classmethod
    def read(cls, found: Node) -> ItemResult:
        """Read the element. Raises `DecodeError`."""
        window, wanted = found.maybe("SubscriptionWindow"), found.attributes.get("registrationRequired")
        return cls(
            item=PurchaseItem.read(found),
            status=status(found.attributes.get("itemwiseStatusCode", "0")),
            window=None if window is None else Window.read(window),
            registration_required=None if wanted is None else boolean(wanted, "registrationRequired"),
            prices=tuple(Price.read(price) for price in found.all("Price")),
        )


def ours(
    name: str,
    children: tuple[Node, ...] = (),
    text: str = "",
    attributes: Mapping[str, str] = MappingProxyType({}),
) -> Node:
    """Return an element in our namespace."""
    return Node(name, NAMESPACE, children, text, attributes)


def status(text: str) -> ProvisioningStatus:
    """Read a status code. Raises `DecodeError`."""
    return ProvisioningStatus(number(text, "a status code", _LARGEST_STATUS))


def request_id(text: str) -> str:
    """Return the identity of a request, 1 to 64 visible characters. Raises `DecodeError`."""
    if _REQUEST_ID.fullmatch(text) is None:
        raise DecodeError("a requestID has 1 to 64 visible characters of ASCII")
    return text


def few(found: tuple[Node, ...], what: str) -> tuple[Node, ...]:
    """Return elements. Raises `DecodeError` for more than `MOST_ITEMS`."""
    if len(found) > MOST_ITEMS:
        raise DecodeError(f"the message has {len(found)} {what}, more than {MOST_ITEMS}")
    return found
