"""Writes the documents that announce a service, for both entry points, from plain values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from host_tools.exchange.messages.msk import MskName
from host_tools.guide.fragments import (
    AccessFragment,
    KeyManagementSystem,
    PurchaseChannelFragment,
    PurchaseDataFragment,
    PurchaseItemFragment,
    ServiceFragment,
)
from host_tools.guide.names import FRAGMENT_TYPE, SDP_TYPE, SECURITY_TYPE, USD_TYPE, KmsType
from host_tools.guide.sdp import KeyStream, MediaStream, Profile, SessionDescription
from host_tools.guide.security import KeyManagement, ProtectedFlow, SecurityDescription
from host_tools.guide.usd import DeliveryMethod, UserService, UserServiceDescription

SESSION, SECURITY, USD, USD_ACCESS = "session.sdp", "security.xml", "usd.xml", "access-usd.xml"
ACCESS, SERVICE, ITEM, DATA, CHANNEL = "access.xml", "service.xml", "item.xml", "data.xml", "channel.xml"
"""Names of the documents of one service."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document: its name (relative to where the announcement of its service is), media type, octets."""

    name: str
    media_type: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a service is sold as: GlobalPurchaseItemID, PurchaseDataID, a price in words."""

    item: str
    data: str
    price: str = ""


@dataclass(frozen=True, slots=True)
class AnnouncedService:
    """One service: the ID under which it is registered, its name, its streams, the key group of its keys.

    `stream` is the medium, `key_port` where STKMs go, to the same address. `management` is None for a service whose
    keys come in another way. `offer` is None for one that nobody sells: then there are no purchase fragments.
    """

    service_id: str
    name: str
    stream: MediaStream
    key_port: int
    msk: MskName
    management: KeyManagement | None
    kms_type: KmsType = KmsType.GBA_U
    offer: Offer | None = None
    origin: str = "127.0.0.1"
    ttl: int = 1
    session_id: int = 1
    version: int = 1


def session_of(service: AnnouncedService) -> SessionDescription:
    """Return the session description of a service: its medium under SRTP, and its key stream, number 1."""
    stream = service.stream
    medium = MediaStream(
        stream.kind,
        stream.address,
        stream.port,
        stream.payload_type,
        stream.encoding,
        Profile.SAVP,
        (1,),
        stream.authentication,
        stream.roll_over_rate,
        stream.parameters,
    )
    keys = KeyStream(stream.address, service.key_port, 1, service.kms_type)
    return SessionDescription(
        service.name,
        (medium,),
        (keys,),
        session_id=service.session_id,
        version=service.version,
        origin=service.origin,
        ttl=service.ttl,
    )


def security_of(service: AnnouncedService) -> SecurityDescription:
    """Return the security description of a service."""
    return SecurityDescription((ProtectedFlow(service.stream.flow_id, service.msk),), service.management)


def documents(service: AnnouncedService) -> Iterator[Document]:
    """Yield the documents of a service; they refer to each other by name alone. Raises `EncodeError`."""
    usd = UserServiceDescription((UserService(service.service_id, (DeliveryMethod(SESSION, SECURITY),), service.name),))
    yield Document(SESSION, SDP_TYPE, session_of(service).encode())
    yield Document(SECURITY, SECURITY_TYPE, security_of(service).encode())
    yield Document(USD, USD_TYPE, usd.encode())
    fragment_id = f"{service.service_id}/service"
    system = KeyManagementSystem(service.kms_type, SECURITY)
    access = AccessFragment(f"{service.service_id}/access", fragment_id, SESSION, None, (SECURITY,), (system,))
    by_usd = AccessFragment(f"{service.service_id}/access-usd", fragment_id, None, USD, (), (system,))
    yield Document(SERVICE, FRAGMENT_TYPE, ServiceFragment(fragment_id, service.service_id, service.name).encode())
    yield Document(ACCESS, FRAGMENT_TYPE, access.encode())
    yield Document(USD_ACCESS, FRAGMENT_TYPE, by_usd.encode())
    if service.offer is not None:
        yield from _purchase(service, service.offer, fragment_id)


def _purchase(service: AnnouncedService, offer: Offer, fragment_id: str) -> Iterator[Document]:
    item, channel = f"{service.service_id}/item", f"{service.service_id}/channel"
    servers = service.management.servers if service.management is not None else ()
    sold = PurchaseItemFragment(item, offer.item, (fragment_id,), service.name)
    yield Document(ITEM, FRAGMENT_TYPE, sold.encode())
    yield Document(DATA, FRAGMENT_TYPE, PurchaseDataFragment(offer.data, item, channel, offer.price).encode())
    yield Document(CHANNEL, FRAGMENT_TYPE, PurchaseChannelFragment(channel, servers[0] if servers else None).encode())
