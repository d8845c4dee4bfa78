"""Fragments of a Service Guide, as far as a terminal needs them to find a service and to buy it.

The names GlobalPurchaseItemID, PurchaseDataID, RightsIssuerURI and PortalURL are those of OMA BCAST (change request on
SPCP, clause 6.8.1), the namespace is registered; how the elements stand in each other is recalled and partly ours:
provisional.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from card.errors import DecodeError
from host_tools.exchange.messages.fields import uri
from host_tools.exchange.messages.registration import MOST_ITEMS
from host_tools.exchange.xml_text import Node, parse_document, write_document
from host_tools.guide.names import GUIDE_NAMESPACE, KmsType, ProtectionType

_ISSUER, _OTHER_ISSUER = "RightsIssuerURI", "PermissionsIssuerURI"
_ACCESS, _ITEM, _DATA, _CHANNEL, _SERVICE = "Access", "PurchaseItem", "PurchaseData", "PurchaseChannel", "Service"
_TYPE, _BROADCAST, _SESSION = "AccessType", "BroadcastServiceDelivery", "SessionDescription"
_KMS, _KMS_TYPE, _PROTECTION, _REFERENCE = "KeyManagementSystem", "kmsType", "ProtectionType", "idRef"
_LONGEST_NAME = 256
_KMS_TYPES = {kms_type.value: kms_type for kms_type in KmsType}
_KMS_NUMBERS = {"0": KmsType.DRM, "1": KmsType.GBA_U, "2": KmsType.GBA_ME, "3": KmsType.CSIM}


@dataclass(frozen=True, slots=True)
class ServiceFragment:
    """A service: its fragment ID, its global ID, its name for people."""

    fragment_id: str
    global_id: str
    name: str = ""

    def encode(self) -> bytes:
        """Return the fragment. Raises `EncodeError`."""
        return _write(_SERVICE, {"id": self.fragment_id, "globalServiceID": self.global_id}, *_named(self.name))

    @classmethod
    def decode(cls, body: bytes) -> ServiceFragment:
        """Read the fragment. Raises `DecodeError`."""
        root = parse_document(body, _SERVICE)
        return cls(_id(root), uri(root.attribute("globalServiceID"), "globalServiceID"), _name(root))


@dataclass(frozen=True, slots=True)
class KeyManagementSystem:
    """Which key management a service has, what it protects, and the URI of its security description."""

    kms_type: KmsType | str
    issuer: str | None
    protection: ProtectionType = ProtectionType.SERVICE


@dataclass(frozen=True, slots=True)
class AccessFragment:
    """How a service is received.

    `sdp` and `usd` are the URIs of the descriptions, `auxiliary` those of what stands beside an SDP: the security
    description is one of them. `service` is the fragment ID of the service.
    """

    fragment_id: str
    service: str
    sdp: str | None = None
    usd: str | None = None
    auxiliary: tuple[str, ...] = ()
    systems: tuple[KeyManagementSystem, ...] = ()

    def encode(self) -> bytes:
        """Return the fragment. Raises `EncodeError`."""
        references = [("SDPRef", self.sdp), ("USBDRef", self.usd), *(("ADPRef", one) for one in self.auxiliary)]
        described = tuple(_node(name, {"uri": found}) for name, found in references if found is not None)
        session = _node(_SESSION, {}, *described)
        return _write(
            _ACCESS,
            {"id": self.fragment_id},
            _node(_TYPE, {}, _node(_BROADCAST, {}, session)),
            *map(_system, self.systems),
            _node("ServiceReference", {_REFERENCE: self.service}),
        )

    @classmethod
    def decode(cls, body: bytes) -> AccessFragment:
        """Read the fragment. Raises `DecodeError`."""
        root = parse_document(body, _ACCESS)
        session = root.one(_TYPE).one(_BROADCAST).one(_SESSION)
        systems = _few(root.all(_KMS), root)
        return cls(
            _id(root),
            root.one("ServiceReference").attribute(_REFERENCE),
            _reference(session.maybe("SDPRef")),
            _reference(session.maybe("USBDRef")),
            tuple(uri(found.attribute("uri"), "ADPRef") for found in _few(session.all("ADPRef"), session)),
            tuple(_read_system(found) for found in systems),
        )


@dataclass(frozen=True, slots=True)
class PurchaseItemFragment:
    """What can be bought: GlobalPurchaseItemID, and the fragment IDs of the services in it."""

    fragment_id: str
    global_id: str
    services: tuple[str, ...]
    name: str = ""

    def encode(self) -> bytes:
        """Return the fragment. Raises `EncodeError`."""
        references = (_node("ServiceReference", {_REFERENCE: service}) for service in self.services)
        said = {"id": self.fragment_id, "globalPurchaseItemID": self.global_id}
        return _write(_ITEM, said, *references, *_named(self.name))

    @classmethod
    def decode(cls, body: bytes) -> PurchaseItemFragment:
        """Read the fragment. Raises `DecodeError`."""
        root = parse_document(body, _ITEM)
        references = tuple(found.attribute(_REFERENCE) for found in _few(root.all("ServiceReference"), root))
        global_id = uri(root.attribute("globalPurchaseItemID"), "globalPurchaseItemID")
        return cls(_id(root), global_id, references, _name(root))


@dataclass(frozen=True, slots=True)
class PurchaseDataFragment:
    """On which terms: its ID is the PurchaseDataID; fragment IDs of the item and of the channel."""

    purchase_data_id: str
    item: str
    channel: str
    price: str = ""

    def encode(self) -> bytes:
        """Return the fragment. Raises `EncodeError`."""
        priced = (_node("PriceInfo", {}, text=self.price),) if self.price else ()
        item = _node("PurchaseItemReference", {_REFERENCE: self.item})
        channel = _node("PurchaseChannelReference", {_REFERENCE: self.channel})
        return _write(_DATA, {"id": self.purchase_data_id}, *priced, item, channel)

    @classmethod
    def decode(cls, body: bytes) -> PurchaseDataFragment:
        """Read the fragment. Raises `DecodeError`."""
        root = parse_document(body, _DATA)
        price = root.maybe("PriceInfo")
        return cls(
            _id(root),
            root.one("PurchaseItemReference").attribute(_REFERENCE),
            root.one("PurchaseChannelReference").attribute(_REFERENCE),
            price.text[:_LONGEST_NAME] if price is not None else "",
        )


@dataclass(frozen=True, slots=True)
class PurchaseChannelFragment:
    """From whom: where service requests go. With a `portal` and no `issuer` the item is sold on that page alone (ours).

    A `portal` beside an issuer informs only.
    """

    fragment_id: str
    issuer: str | None
    portal: str | None = None

    @property
    def portal_only(self) -> bool:
        """Whether no service request is to be sent."""
        return self.issuer is None and self.portal is not None

    def encode(self) -> bytes:
        """Return the fragment. Raises `EncodeError`."""
        issuer = {} if self.issuer is None else {"rightsIssuerURI": self.issuer}
        portal = () if self.portal is None else (_node("PortalURL", {}, text=self.portal),)
        return _write(_CHANNEL, {"id": self.fragment_id, **issuer}, *portal)

    @classmethod
    def decode(cls, body: bytes) -> PurchaseChannelFragment:
        """Read the fragment. Raises `DecodeError`."""
        root = parse_document(body, _CHANNEL)
        issuer, portal = root.attributes.get("rightsIssuerURI"), root.maybe("PortalURL")
        return cls(
            _id(root),
            None if issuer is None else uri(issuer, "rightsIssuerURI"),
            None if portal is None else uri(portal.text, "PortalURL"),
        )


def user_service_id(item: PurchaseItemFragment, data: PurchaseDataFragment) -> str:
    """Return the user service ID of a purchase: one ID directly behind the other (same clause)."""
    return item.global_id + data.purchase_data_id


def _system(system: KeyManagementSystem) -> Node:
    kms_type = system.kms_type.value if isinstance(system.kms_type, KmsType) else system.kms_type
    issuer = () if system.issuer is None else (_node(_ISSUER, {}, text=system.issuer),)
    return _node(_KMS, {_KMS_TYPE: kms_type, _PROTECTION: system.protection.value}, *issuer)


def _read_system(found: Node) -> KeyManagementSystem:
    said = found.attribute(_KMS_TYPE).strip()
    kms_type = _KMS_TYPES.get(said.lower()) or _KMS_NUMBERS.get(said) or said[:64]
    issuer = found.maybe(_ISSUER) or found.maybe(_OTHER_ISSUER)
    try:
        protection = ProtectionType(found.attributes.get(_PROTECTION, ProtectionType.SERVICE.value).strip())
    except ValueError:
        raise DecodeError(f"{_PROTECTION} is none that is known") from None
    return KeyManagementSystem(kms_type, None if issuer is None else uri(issuer.text, issuer.name), protection)


def _reference(found: Node | None) -> str | None:
    return None if found is None else uri(found.attribute("uri"), found.name)


def _few(found: tuple[Node, ...], root: Node) -> tuple[Node, ...]:
    if len(found) > MOST_ITEMS:
        raise DecodeError(f"{root.name} has {len(found)} parts of a kind; at most {MOST_ITEMS} are allowed")
    return found


def _id(root: Node) -> str:
    return uri(root.attribute("id"), "id")


def _name(root: Node) -> str:
    names = [child.text for child in root.all("Name") if child.text]
    return names[0][:_LONGEST_NAME] if names else ""


def _named(name: str) -> Iterator[Node]:
    if name:
        yield _node("Name", {}, text=name)


def _node(name: str, attributes: dict[str, str], *children: Node, text: str = "") -> Node:
    return Node(name, GUIDE_NAMESPACE, children, text, attributes)


def _write(name: str, attributes: dict[str, str], *children: Node) -> bytes:
    return write_document(_node(name, attributes, *children))
