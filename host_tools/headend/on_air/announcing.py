"""The announcement of a broadcast: all documents of all services, for where each listener hears them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from host_tools.content.rtp import PayloadFormat
from host_tools.content.sinks.tone import SAMPLE_RATE
from host_tools.exchange.messages.msk import MskName
from host_tools.guide.announce import SECURITY, SESSION, AnnouncedService, Document, Offer, documents
from host_tools.guide.names import USD_TYPE
from host_tools.guide.sdp import MediaStream
from host_tools.guide.security import KeyManagement
from host_tools.guide.usd import DeliveryMethod, UserService, UserServiceDescription
from host_tools.headend.catalogue.items import Catalogue, CatalogueItem, Waiting
from host_tools.headend.on_air.broadcast import AirPlan
from host_tools.headend.on_air.outlets import Places
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.wares import SERVICE_PREFIX
from host_tools.headend.service_keys import key_domain_id
from host_tools.headend.services import Service


def named(scenario: Scenario, catalogue: Catalogue) -> tuple[dict[str, str], dict[str, Offer]]:
    """Return under which serviceID each service is registered, and as what it is sold, both by its name.

    The serviceID is that of the item which a subscriber has without buying, or else of what is sold first.
    """
    ids: dict[str, str] = {}
    offers: dict[str, Offer] = {}
    for service in scenario.services:
        items = sorted((item for item in catalogue.items if service.id in item.services), key=_few_services)
        sold = [item for item in items if not item.included]
        first = next((item for item in items if item.included), None) or (sold[0] if sold else None)
        ids[service.id] = SERVICE_PREFIX + service.id if first is None else first.service_id
        if sold:
            price = f"{sold[0].price.amount} {sold[0].price.currency}"
            offers[service.id] = Offer(sold[0].global_id, sold[0].data_id, price)
    return ids, offers


def _few_services(item: CatalogueItem) -> int:
    return len(item.services)


BUNDLE = "usd.xml"
"""The user service description of all services; it is also what the bare path of an announcement gives."""
_ENCODINGS = {PayloadFormat.PCMU: f"PCMU/{SAMPLE_RATE}"}
_GROUP_ALONE = bytes(2)


def announced(
    scenario: Scenario,
    places: Places,
    service_ids: Mapping[str, str],
    offers: Mapping[str, Offer],
    waiting: Waiting | None = None,
) -> tuple[AnnouncedService, ...]:
    """Return what is announced of each service; `waiting` is how long terminals wait before they ask for keys.

    `service_ids` has the serviceID of each service by its name, `offers` what it is sold as.
    """
    wait = waiting or Waiting()
    management = KeyManagement((f"http://{scenario.network.bsm_fqdn}/",), wait.offset, wait.random)
    return tuple(
        _announced(service, places, service_ids[service.id], management, offers.get(service.id))
        for service in scenario.services
    )


@dataclass(frozen=True, slots=True)
class Names:
    """Under which serviceID each service is registered, and as what it is sold, both by its name in the scenario.

    `waiting` is how long terminals wait before they ask for keys.
    """

    service_ids: Mapping[str, str]
    offers: Mapping[str, Offer]
    waiting: Waiting | None = None


@dataclass(frozen=True, slots=True)
class Announcements:
    """The documents for everybody who hears a broadcast.

    They fit the first listener. Where there are several, each has its own ones, too, whose names begin with
    `at/ADDRESS-PORT/`; `homes` has that by the address of a listener, for the first one at an address.
    """

    documents: tuple[Document, ...]
    homes: Mapping[str, str]

    @classmethod
    def of(cls, scenario: Scenario, plan: AirPlan, names: Names) -> Announcements:
        """Return them. Raises `EncodeError`, `HeadendError`."""
        targets = plan.targets(scenario)
        if len(targets) == 1:
            return cls(tuple(_of_one(scenario, targets[0], names)), {})
        every, homes = list(_of_one(scenario, targets[0], names)), dict[str, str]()
        for listener, places in zip(plan.listeners, targets, strict=True):
            home = f"at/{listener.address}-{listener.port}/"
            homes.setdefault(listener.address, home)
            every += [replace(one, name=home + one.name) for one in _of_one(scenario, places, names)]
        return cls(tuple(every), homes)


def _of_one(scenario: Scenario, places: Places, names: Names) -> Iterator[Document]:
    described = announced(scenario, places, names.service_ids, names.offers, names.waiting)
    return announcement(dict(zip((service.id for service in scenario.services), described, strict=True)))


def announcement(services: Mapping[str, AnnouncedService]) -> Iterator[Document]:
    """Yield the documents of services by their names: those of each in a folder of its name, and the bundle of all.

    Raises `EncodeError`.
    """
    for name, service in services.items():
        for document in documents(service):
            yield replace(document, name=f"{name}/{document.name}")
    bundle = UserServiceDescription(
        tuple(
            UserService(service.service_id, (DeliveryMethod(f"{name}/{SESSION}", f"{name}/{SECURITY}"),), service.name)
            for name, service in services.items()
        )
    ).encode()
    yield Document(BUNDLE, USD_TYPE, bundle)
    yield Document("", USD_TYPE, bundle)


def _announced(
    service: Service, places: Places, service_id: str, management: KeyManagement, offer: Offer | None
) -> AnnouncedService:
    place = places[service.id]
    encoding = _ENCODINGS[PayloadFormat(service.payload_type)]
    return AnnouncedService(
        service_id,
        service.id,
        MediaStream("audio", place.media.address, place.media.port, service.payload_type, encoding),
        place.stkms.port,
        MskName(key_domain_id(service.key_domain), service.key_group.to_bytes(2, "big") + _GROUP_ALONE),
        management,
        offer=offer,
    )
