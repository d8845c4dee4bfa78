"""The keys of the services, all from the seed of the scenario.

An STKM is protected with the SEK, but also with the RAND and CSB ID that came in the LTKM. A recording is
made before anyone knows under which SMK (that is: under which B-TID) the LTKMs will go out, so RAND and CSB
ID belong to the SEK here and not to the single LTKM: every LTKM that brings the SEK carries the same two, and
only T and the SMK differ. For RAND TS 33.246 clause 6.4.5.1 asks the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from card.codec.mikey import KeyInterval, MbmsKeyIds
from card.crypto.secret import Secret
from host_tools.content.srtp.keys import SALT_SIZE, TEK_SIZE
from host_tools.content.traffic_key import TrafficKey
from host_tools.headend.errors import HeadendError
from host_tools.headend.scenario import Scenario, SekRollover, Service
from host_tools.headend.seeded import Seeded

_RAND_SIZE = 16
_CSB_ID_BITS = 32
_MTK_ID_SIZE = 2
NO_KEY_NUMBER = bytes(2)
"""Key Number of a message that brings no key of its own: "the current one" (TS 33.246 clause 6.3.2.1)."""

LAST_MTK_ID = 0xFFFE
"""No key is good for the highest number there is, FFFF (TS 33.246 clause 6.4.5.1)."""


@dataclass(frozen=True, slots=True)
class ServiceKey:
    """One SEK: key domain (3 bytes), MSK ID (4), the key (16, 24 or 32), RAND (16), CSB ID (32 bits).

    It is good for the MTK IDs from `first_mtk_id` to `last_mtk_id`.
    """

    service: str
    key_domain_id: bytes
    msk_id: bytes
    key: Secret
    rand: bytes
    csb_id: int
    first_mtk_id: int
    last_mtk_id: int

    @property
    def key_ids(self) -> MbmsKeyIds:
        """The name of the key as LTKMs carry it."""
        return MbmsKeyIds(self.key_domain_id, self.msk_id)

    @property
    def validity(self) -> KeyInterval:
        """The MTK IDs it is good for, as plain MBMS writes them (2 bytes each).

        The lower limit is where the card starts to count from: the first MTK ID is above it (TS 33.246 clause 6.5.4).
        """
        return mtk_interval(self.first_mtk_id, self.last_mtk_id)

    def traffic_key_ids(self, mtk_id: int) -> MbmsKeyIds:
        """Return the name of a TEK under this key."""
        return MbmsKeyIds(self.key_domain_id, self.msk_id, mtk_id.to_bytes(_MTK_ID_SIZE, "big"))


def mtk_interval(first_mtk_id: int, last_mtk_id: int) -> KeyInterval:
    """Return the validity of a key that is good for these MTK IDs, both included.

    Raises `HeadendError` when the first is 0 or the last above `LAST_MTK_ID`: no key may be good for those.
    """
    if first_mtk_id < 1 or last_mtk_id > LAST_MTK_ID:
        raise HeadendError(f"a key is good for MTK IDs from 1 to {LAST_MTK_ID}, not {first_mtk_id} to {last_mtk_id}")
    return KeyInterval.between(first_mtk_id - 1, last_mtk_id, _MTK_ID_SIZE)


def key_domain_id(plmn: str) -> bytes:
    """Return MCC-MNC text as 3 bytes, coded like a PLMN identity (TS 24.008 clause 10.5.1.3)."""
    mcc, mnc = plmn.split("-")
    digits = mcc[1] + mcc[0] + (mnc[2:] or "f") + mcc[2] + mnc[1] + mnc[0]
    return bytes.fromhex(digits)


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
