"""Keys and streams of the services, all from the seed of the scenario."""

from __future__ import annotations

from dataclasses import dataclass

from card.crypto.secret import Secret
from host_tools.content.srtp.keys import SALT_SIZE, TEK_SIZE
from host_tools.content.traffic_key import TrafficKey
from host_tools.headend.bsda.media_stream import MediaStream
from host_tools.headend.scenario.model import Scenario, SekRollover
from host_tools.headend.seeded import Seeded
from host_tools.headend.service_keys import KeyTerm, ServiceKey, key_domain_id
from host_tools.headend.services import Service

_RAND_SIZE = 16
_CSB_ID_BITS = 32
_BINDING_KEY_SIZE = 16
_FIRST_SEQUENCE_BITS = 15  # RFC 3711 clause 3.3.1 advises to start low, so that the first wrap is far away


def service_keys(scenario: Scenario) -> tuple[ServiceKey, ...]:
    """Return every SEK of the scenario, service by service, each service's in order of use."""
    return tuple(make_key(scenario, term) for term in key_terms(scenario))


def key_terms(scenario: Scenario) -> tuple[KeyTerm, ...]:
    """Return the name of every SEK of the scenario, and when it is in use."""
    return tuple(term for service in scenario.services for term in _terms_of(scenario, service))


def _terms_of(scenario: Scenario, service: Service) -> list[KeyTerm]:
    period = scenario.stkm.crypto_period
    rollovers = sorted(
        -(-event.at // period)
        for event in scenario.events
        if isinstance(event, SekRollover) and event.service == service.id
    )
    # Crypto period n, counted from 0, has the MTK ID n + 1.
    firsts = [1, *(first_period + 1 for first_period in rollovers)]
    lasts = [*(first - 1 for first in firsts[1:]), scenario.periods]
    limits = zip(firsts, lasts, strict=True)
    return [key_term(service, number, *limit) for number, limit in enumerate(limits, 1)]


def key_term(service: Service, number: int, first_mtk_id: int, last_mtk_id: int) -> KeyTerm:
    """Return the name of the SEK with this Key Number (1 to 65535) of a service."""
    msk_id = service.key_group.to_bytes(2, "big") + number.to_bytes(2, "big")
    return KeyTerm(service.id, key_domain_id(service.key_domain), msk_id, first_mtk_id, last_mtk_id)


def make_key(scenario: Scenario, term: KeyTerm) -> ServiceKey:
    """Return the SEK of this name."""
    seeded, name = Seeded(scenario.seed), (term.key_domain_id, term.msk_id)
    return ServiceKey(
        service=term.service,
        key_domain_id=term.key_domain_id,
        msk_id=term.msk_id,
        first_mtk_id=term.first_mtk_id,
        last_mtk_id=term.last_mtk_id,
        key=seeded.derive_secret(scenario.service(term.service).sek_size, "sek", *name),
        rand=seeded.derive(_RAND_SIZE, "ltkm rand", *name),
        csb_id=seeded.derive_int(_CSB_ID_BITS, "csb id", *name),
    )


def traffic_key(scenario: Scenario, term: KeyTerm, mtk_id: int) -> TrafficKey:
    """Return TEK and salt of one crypto period."""
    seeded, name = Seeded(scenario.seed), (term.key_domain_id, term.msk_id, mtk_id)
    return TrafficKey(seeded.derive_secret(TEK_SIZE, "tek", *name), seeded.derive_secret(SALT_SIZE, "salt", *name))


@dataclass(frozen=True, slots=True)
class SeededTrafficKeys:
    """Where a BSD/A gets its keys from that plays a scenario."""

    scenario: Scenario

    def traffic_key(self, term: KeyTerm, mtk_id: int) -> TrafficKey:
        """Return TEK and salt of one crypto period."""
        return traffic_key(self.scenario, term, mtk_id)

    def binding_key(self, key_id: int) -> Secret:
        """Return the terminal binding key (16 bytes) of this ID."""
        return binding_key(self.scenario, key_id)


def binding_key(scenario: Scenario, key_id: int) -> Secret:
    """Return the terminal binding key (16 bytes) of this ID."""
    return Seeded(scenario.seed).derive_secret(_BINDING_KEY_SIZE, "tbk", key_id)


def media_stream(scenario: Scenario, service: Service) -> MediaStream:
    """Return the stream of a service."""
    seeded = Seeded(scenario.seed)
    first = service.first_sequence
    return MediaStream(
        ssrc=seeded.derive_int(32, "ssrc", service.id),
        first_sequence=seeded.derive_int(_FIRST_SEQUENCE_BITS, "sequence", service.id) if first is None else first,
        first_timestamp=seeded.derive_int(32, "rtp timestamp", service.id),
    )
