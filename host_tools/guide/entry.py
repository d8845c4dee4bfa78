"""The two ways from an announcement to a service (OMA BCAST, change request on SPCP, clause 6.8.1, tables 2 and 3).

| | by the MBMS USD | by the session description |
|---|---|---|
| who has the keys | the security description that protectionDescriptionURI names | the one that RightsIssuerURI names |
| RightsIssuerURI | ignored | one of the URIs beside the SDP, for each key management system |
| user service ID | serviceId | GlobalPurchaseItemID and PurchaseDataID |
| first message | registration | service request |

BaseCID is of the DRM profile and read nowhere. In which order the tests come, and that an Access fragment with both is
taken by its USD, is ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol
from urllib.parse import urljoin

from card.errors import DecodeError
from host_tools.guide.fragments import AccessFragment, PurchaseDataFragment, PurchaseItemFragment, user_service_id
from host_tools.guide.names import KmsType
from host_tools.guide.sdp import SessionDescription
from host_tools.guide.sdp_reading import decode_sdp
from host_tools.guide.security import SecurityDescription
from host_tools.guide.usd import DeliveryMethod, UserService, UserServiceDescription


class Library(Protocol):
    """Where the documents are that others point to."""

    def document(self, uri: str, /) -> bytes:
        """Return the document at a URI. Raises `LookupError` where there is none."""


class Way(Enum):
    """By which entry point a service was found."""

    MBMS_USD = "MBMS user service description"
    SESSION_DESCRIPTION = "session description"


@dataclass(frozen=True, slots=True)
class ServiceEntry:
    """What a terminal knows of a service when it has read its announcement.

    `service_ids` are the names it can be registered for (by USD: one) or bought under. Without `security` it is not
    protected, and there is nothing to register for (TS 33.246 clause 6.3.2.1A).
    """

    way: Way
    service_ids: tuple[str, ...]
    name: str
    session: SessionDescription
    security: SecurityDescription | None

    @property
    def servers(self) -> tuple[str, ...]:
        """The URIs of the servers that have the keys; the terminal chooses one and stays with it (same clause)."""
        management = None if self.security is None else self.security.management
        return () if management is None else management.servers


def by_usd(body: bytes, location: str, library: Library) -> tuple[ServiceEntry, ...]:
    """Return the services of a user service description that was found at `location`, one for each delivery method.

    Raises `DecodeError`, also for a document that it points to and that is not there.
    """
    services = UserServiceDescription.decode(body).services
    return tuple(_by_method(service, method, location, library) for service in services for method in service.methods)


def by_access(
    access: AccessFragment,
    location: str,
    purchases: Iterable[tuple[PurchaseItemFragment, PurchaseDataFragment]],
    library: Library,
    supported: Iterable[KmsType] = (KmsType.GBA_U,),
) -> tuple[ServiceEntry, ...]:
    """Return what an Access fragment that was found at `location` leads to.

    `purchases` are the offers whose item refers to its service. Raises `DecodeError`, also where the service is under
    no key management that is supported.
    """
    if access.usd is not None:
        uri = urljoin(location, access.usd)
        return by_usd(_fetch(uri, library), uri, library)
    if access.sdp is None:
        raise DecodeError("the Access fragment names neither a session description nor a user service description")
    session = decode_sdp(_fetch(urljoin(location, access.sdp), library))
    security = None
    if access.systems:
        issuer = _issuer(access, frozenset(supported))
        security = SecurityDescription.decode(_fetch(urljoin(location, issuer), library))
    bought = tuple(user_service_id(item, data) for item, data in purchases if access.service in item.services)
    return (ServiceEntry(Way.SESSION_DESCRIPTION, bought, session.name, session, security),)


def _by_method(service: UserService, method: DeliveryMethod, location: str, library: Library) -> ServiceEntry:
    session = decode_sdp(_fetch(urljoin(location, method.session), library))
    security = None
    if method.protection is not None:
        security = SecurityDescription.decode(_fetch(urljoin(location, method.protection), library))
    return ServiceEntry(Way.MBMS_USD, (service.service_id,), service.name or session.name, session, security)


def _issuer(access: AccessFragment, supported: frozenset[KmsType]) -> str:
    """Return the URI of the security description of the first key management that is supported."""
    usable = [system for system in access.systems if system.kms_type in supported]
    if not usable:
        found = ", ".join(str(getattr(system.kms_type, "value", system.kms_type)) for system in access.systems)
        raise DecodeError(f"the service is under {found}, and no such key management is supported")
    issuer = usable[0].issuer
    if issuer is None or issuer not in access.auxiliary:
        raise DecodeError("RightsIssuerURI is none of the descriptions beside the SDP: no key management server")
    return issuer


def _fetch(uri: str, library: Library) -> bytes:
    try:
        return library.document(uri)
    except LookupError:
        raise DecodeError(f"{uri[:200]} is not there") from None
