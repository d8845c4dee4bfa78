"""User service descriptions (TS 26.346 clause 11.2): which user services there are, and where their descriptions are.

Written in the form of schema version 6, in which delimiters stand between the releases; read in any form, as older and
newer readers pass over what they do not know.
"""

from __future__ import annotations

from dataclasses import dataclass

from host_tools.exchange.messages.fields import service_uri, uri
from host_tools.exchange.messages.registration import bounded, note_namespace
from host_tools.exchange.xml_text import Node, parse_document, write_document
from host_tools.guide.names import SCHEMA_VERSION_NAMESPACE, USD_NAMESPACE

_ROOT, _SERVICE, _NAME, _METHOD = "bundleDescription", "userServiceDescription", "name", "deliveryMethod"
_SERVICE_ID, _SESSION, _PROTECTION = "serviceId", "sessionDescriptionURI", "protectionDescriptionURI"
_DELIMITER, _VERSION = "delimiter", "schemaVersion"
_SCHEMA_VERSION = 6
_DELIMITERS_OF_SERVICE, _DELIMITERS_OF_METHOD = 4, 3
_LONGEST_NAME = 256


@dataclass(frozen=True, slots=True)
class DeliveryMethod:
    """One way in which a user service comes: where its SDP is, and its security description, None for none."""

    session: str
    protection: str | None = None


@dataclass(frozen=True, slots=True)
class UserService:
    """A user service: the serviceID it is registered for, its name for people, the ways in which it comes."""

    service_id: str
    methods: tuple[DeliveryMethod, ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class UserServiceDescription:
    """A bundle of user services."""

    services: tuple[UserService, ...]

    def encode(self) -> bytes:
        """Return the document. Raises `EncodeError`."""
        version = Node(_VERSION, SCHEMA_VERSION_NAMESPACE, text=str(_SCHEMA_VERSION))
        root = Node(_ROOT, USD_NAMESPACE, (*map(_service, self.services), version))
        return write_document(root, {"": USD_NAMESPACE, "sv": SCHEMA_VERSION_NAMESPACE})

    @classmethod
    def decode(cls, body: bytes) -> UserServiceDescription:
        """Read the document. Raises `DecodeError`."""
        root = parse_document(body, _ROOT)
        note_namespace(root, USD_NAMESPACE)
        return cls(tuple(_read(found) for found in bounded(root.all(_SERVICE), root)))


def _service(service: UserService) -> Node:
    names = (Node(_NAME, USD_NAMESPACE, text=service.name),) if service.name else ()
    methods = tuple(map(_method, service.methods))
    attributes = {_SERVICE_ID: service.service_id}
    return Node(
        _SERVICE, USD_NAMESPACE, (*names, *methods, *_delimiters(_DELIMITERS_OF_SERVICE)), attributes=attributes
    )


def _method(method: DeliveryMethod) -> Node:
    said = {_SESSION: method.session}
    if method.protection is not None:
        said[_PROTECTION] = method.protection
    return Node(_METHOD, USD_NAMESPACE, _delimiters(_DELIMITERS_OF_METHOD), attributes=said)


def _delimiters(count: int) -> tuple[Node, ...]:
    return (Node(_DELIMITER, SCHEMA_VERSION_NAMESPACE, text="0"),) * count


def _read(found: Node) -> UserService:
    names = [child.text for child in found.all(_NAME) if child.text]
    methods = tuple(_read_method(method) for method in bounded(found.all(_METHOD), found))
    return UserService(
        service_uri(found.attribute(_SERVICE_ID), _SERVICE_ID), methods, names[0][:_LONGEST_NAME] if names else ""
    )


def _read_method(found: Node) -> DeliveryMethod:
    protection = found.attributes.get(_PROTECTION)
    return DeliveryMethod(
        uri(found.attribute(_SESSION), _SESSION), None if protection is None else uri(protection, _PROTECTION)
    )
