"""Keys and streams of the services, all from the seed of the scenario."""

from __future__ import annotations

from card.crypto.secret import Secret
from host_tools.headend.bsda.media_stream import MediaStream
from host_tools.headend.scenario.model import Scenario, SekRollover
from host_tools.headend.seeded import Seeded
from host_tools.headend.service_keys import ServiceKey, key_domain_id
from host_tools.headend.services import Service
from host_tools.media.traffic_key import SALT_SIZE, TEK_SIZE, TrafficKey

_RAND_SIZE = 16
_CSB_ID_BITS = 32
_BINDING_KEY_SIZE = 16
_FIRST_SEQUENCE_BITS = 15  # RFC 3711 clause 3.3.1 advises to start low, so that the first wrap is far away


def service_keys(scenario: Scenario) -> tuple[ServiceKey, ...]:
    """Return every SEK of the scenario, service by service, each service's in order of use."""
    return tuple(key for service in scenario.services for key in _keys_of(scenario, service))


def _keys_of(scenario: Scenario, service: Service) -> list[ServiceKey]:
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
    return [make_key(scenario, service, number, *limit) for number, limit in enumerate(limits, 1)]


def make_key(scenario: Scenario, service: Service, number: int, first_mtk_id: int, last_mtk_id: int) -> ServiceKey:
    """Return the SEK with this Key Number (1 to 65535) of a service."""
    seeded = Seeded(scenario.seed)
    domain = key_domain_id(service.key_domain)
    msk_id = service.key_group.to_bytes(2, "big") + number.to_bytes(2, "big")
    return ServiceKey(
        service=service.id,
        key_domain_id=domain,
        msk_id=msk_id,
        key=seeded.derive_secret(service.sek_size, "sek", domain, msk_id),
        rand=seeded.derive(_RAND_SIZE, "ltkm rand", domain, msk_id),
        csb_id=seeded.derive_int(_CSB_ID_BITS, "csb id", domain, msk_id),
        first_mtk_id=first_mtk_id,
        last_mtk_id=last_mtk_id,
    )


def traffic_key(scenario: Scenario, key: ServiceKey, mtk_id: int) -> TrafficKey:
    """Return TEK and salt of one crypto period."""
    seeded, name = Seeded(scenario.seed), (key.key_domain_id, key.msk_id, mtk_id)
    return TrafficKey(seeded.derive_secret(TEK_SIZE, "tek", *name), seeded.derive_secret(SALT_SIZE, "salt", *name))


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
