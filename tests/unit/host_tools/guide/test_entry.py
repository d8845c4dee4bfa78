"""Both entry points lead to the same service, and say what they must where something is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from card.errors import DecodeError
from host_tools.exchange.messages.msk import MskName
from host_tools.guide import announce
from host_tools.guide.announce import AnnouncedService, Offer, documents
from host_tools.guide.entry import ServiceEntry, Way, by_access, by_usd
from host_tools.guide.fragments import AccessFragment, PurchaseDataFragment, PurchaseItemFragment
from host_tools.guide.names import KmsType
from host_tools.guide.sdp import MediaStream
from host_tools.guide.security import KeyManagement

BASE = "http://bsm.example/guide/tone/"
SERVICE = AnnouncedService(
    "urn:item:tone-a",
    "Tone",
    MediaStream("audio", "239.1.1.1", 5004, 0, "PCMU/8000"),
    2269,
    MskName(bytes.fromhex("00f110"), bytes.fromhex("00010000")),
    KeyManagement(("http://bsm.example/",), 1, 2),
    offer=Offer("urn:item:tone", "-a", "1.00 EUR"),
)


class Shelf:
    """The documents of an announcement at their addresses."""

    def __init__(self, service: AnnouncedService = SERVICE) -> None:
        self.found = {BASE + document.name: document.body for document in documents(service)}

    def document(self, uri: str) -> bytes:
        return self.found[uri]

    def access(self, name: str = announce.ACCESS) -> AccessFragment:
        return AccessFragment.decode(self.found[BASE + name])

    def purchases(self) -> list[tuple[PurchaseItemFragment, PurchaseDataFragment]]:
        item = PurchaseItemFragment.decode(self.found[BASE + announce.ITEM])
        return [(item, PurchaseDataFragment.decode(self.found[BASE + announce.DATA]))]

    def by_access(self, access: AccessFragment) -> ServiceEntry:
        (entry,) = by_access(access, BASE + announce.ACCESS, self.purchases(), self)
        return entry


def test_both_lead_to_the_same() -> None:
    shelf = Shelf()
    (usd,) = by_usd(shelf.found[BASE + announce.USD], BASE + announce.USD, shelf)
    session = shelf.by_access(shelf.access())
    assert (usd.way, session.way) == (Way.MBMS_USD, Way.SESSION_DESCRIPTION)
    assert usd.service_ids == session.service_ids == ("urn:item:tone-a",)
    assert (usd.session, usd.security, usd.servers) == (session.session, session.security, session.servers)
    assert usd.servers == ("http://bsm.example/",)
    (medium,) = usd.session.media
    (keys,) = usd.session.keys_of(medium)
    assert (medium.flow_id, keys.port) == ("239.1.1.1/5004", 2269)
    assert usd.security is not None
    assert usd.security.msk_of(medium.flow_id) == SERVICE.msk


def test_an_access_fragment_with_a_usd_is_taken_by_it() -> None:
    shelf = Shelf()
    for access in (shelf.access(announce.USD_ACCESS), replace(shelf.access(), usd=announce.USD)):
        entry = shelf.by_access(access)
        assert (entry.way, entry.service_ids) == (Way.MBMS_USD, ("urn:item:tone-a",))


def test_an_unprotected_service_has_nobody_to_register_with() -> None:
    shelf = Shelf()
    entry = shelf.by_access(replace(shelf.access(), systems=()))
    assert (entry.security, entry.servers) == (None, ())


def test_keys_that_come_another_way() -> None:
    shelf = Shelf(replace(SERVICE, management=None))
    (entry,) = by_usd(shelf.found[BASE + announce.USD], BASE + announce.USD, shelf)
    assert entry.security is not None
    assert entry.servers == ()


def test_what_leads_nowhere() -> None:
    shelf = Shelf()
    access = shelf.access()
    drm = replace(access.systems[0], kms_type=KmsType.DRM)
    for wrong, words in (
        (replace(access, sdp=None), "neither"),
        (replace(access, systems=(drm,)), "oma-bcast-drm-pki"),
        (replace(access, auxiliary=()), "RightsIssuerURI"),
        (replace(access, systems=(replace(access.systems[0], issuer=None),)), "RightsIssuerURI"),
        (replace(access, sdp="other.sdp"), "not there"),
    ):
        with pytest.raises(DecodeError, match=words):
            shelf.by_access(wrong)
    # The first key management that is supported counts, whatever stands before it.
    assert shelf.by_access(replace(access, systems=(drm, *access.systems))).security is not None


def test_nothing_is_sold_without_an_offer() -> None:
    names = {document.name for document in documents(replace(SERVICE, offer=None))}
    assert not names & {announce.ITEM, announce.DATA, announce.CHANNEL}
