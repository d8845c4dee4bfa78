"""User service registration and deregistration (TS 33.246 clauses 6.3.2.1A, 6.3.2.1B; TS 26.346 clauses 11.4 to 11.6).

OMA BCAST sends the same messages: a serviceID is the GlobalPurchaseItemID with the PurchaseDataID directly behind it.
Nothing separates the two, so a server looks the whole up and never splits it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import ClassVar, Self

from card.errors import DecodeError
from card.lean import lean_dataclass
from host_tools.exchange.messages.fields import service_uri
from host_tools.exchange.procedures import DEREGISTRATION, REGISTRATION, Procedure
from host_tools.exchange.status import item_text, parse_item
from host_tools.exchange.xml_text import Node, leaves, parse_document, write_document

_log = logging.getLogger(__name__)
METADATA = "urn:3GPP:metadata:2005:MBMS:"
_ANSWER_ROOT = "mbmsSecurityRegisterResponse"
_ANSWER_NAMESPACE = METADATA + "securityRegistrationResponse"
_SERVICE_ID, _RESPONSE, _CODE = "serviceID", "Response", "ResponseCode"
MOST_ITEMS = 256
"""Items of one message; ours."""


@lean_dataclass(frozen=True, slots=True)
class _ServiceList:
    """A list of services, at least one. Beside the norm's namespace every other one is read, and logged."""

    service_ids: tuple[str, ...]
    procedure: ClassVar[Procedure]
    root: ClassVar[str]
    namespace: ClassVar[str]

    def encode(self) -> bytes:
        """Return the document. Raises `EncodeError`."""
        names = (Node(_SERVICE_ID, self.namespace, text=service_id) for service_id in self.service_ids)
        return write_document(Node(self.root, self.namespace, tuple(names)))

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read the document. Raises `DecodeError`."""
        root = parse_document(body, cls.root)
        note_namespace(root, cls.namespace)
        return cls(tuple(service_uri(found.text, _SERVICE_ID) for found in bounded(root.all(_SERVICE_ID), root)))


class Registration(_ServiceList):
    """What a terminal wants to receive; for these services it replaces the registration before (TS 33.246 6.3.2.1A)."""

    __slots__ = ()
    procedure = REGISTRATION
    root = "mbmsSecurityRegister"
    namespace = METADATA + "securityRegistration"


class Deregistration(_ServiceList):
    """What a terminal leaves (TS 33.246 clause 6.3.2.1B)."""

    __slots__ = ()
    procedure = DEREGISTRATION
    root = "mbmsSecurityDeregister"
    namespace = METADATA + "securityDeregistration"


@lean_dataclass(frozen=True, slots=True)
class ServiceCode:
    """What came of one service: an HTTP status."""

    service_id: str
    status: int


@lean_dataclass(frozen=True, slots=True)
class RegistrationAnswer:
    """The answer to a registration or a deregistration: a code for each service."""

    codes: tuple[ServiceCode, ...]

    def encode(self) -> bytes:
        """Return the document. Raises `EncodeError`."""
        return write_document(Node(_ANSWER_ROOT, _ANSWER_NAMESPACE, tuple(_response(code) for code in self.codes)))

    @classmethod
    def decode(cls, body: bytes) -> RegistrationAnswer:
        """Read the document. Raises `DecodeError`."""
        root = parse_document(body, _ANSWER_ROOT)
        note_namespace(root, _ANSWER_NAMESPACE)
        return cls(tuple(_code(found) for found in bounded(root.all(_RESPONSE), root)))


def _response(code: ServiceCode) -> Node:
    values = {_SERVICE_ID: code.service_id, _CODE: item_text(code.status)}
    return Node(_RESPONSE, _ANSWER_NAMESPACE, tuple(leaves(_ANSWER_NAMESPACE, values)))


def _code(found: Node) -> ServiceCode:
    return ServiceCode(service_uri(found.one(_SERVICE_ID).text, _SERVICE_ID), parse_item(found.one(_CODE).text))


def bounded(found: tuple[Node, ...], root: Node) -> Iterable[Node]:
    """Return the items of a message. Raises `DecodeError` when there are none, or more than `MOST_ITEMS`."""
    if not 0 < len(found) <= MOST_ITEMS:
        raise DecodeError(f"{root.name} has {len(found)} items; 1 to {MOST_ITEMS} are allowed")
    return found


def note_namespace(root: Node, wanted: str) -> None:
    """Log that a document has another namespace than the one its text gives it. It is read all the same."""
    if root.namespace != wanted:
        _log.info("%s is read though its namespace is not %s", root.name, wanted)
