"""The OMA BCAST side of STKMs: their management data, and TEKs bound to terminals.

provisional: layout by the tables; a bound TEK is AES-128 in ECB mode of the TEK under the terminal binding key (TBK),
16 bytes in and out, its salt left as it is.
"""

from __future__ import annotations

from card.codec.bcast import Rating, StkmManagement
from card.codec.mikey import Extension
from card.crypto.primitives import aes_ecb_encrypt
from card.crypto.secret import Secret
from card.spec.bcast.tables import BcastTables, TrafficProtection
from host_tools.content.traffic_key import TrafficKey
from host_tools.headend.scenario import Scenario
from host_tools.headend.schedule import StkmSlot
from host_tools.headend.seeded import Seeded

_MOST_LIFETIME = 15
_KEY_SIZE = 16


def stkm_extension(scenario: Scenario, slot: StkmSlot, tables: BcastTables) -> Extension | None:
    """Return the extension of one STKM, None for a service of plain MBMS."""
    policy = slot.service.bcast
    if policy is None:
        return None
    criteria = tuple(rating.to_descriptor(tables) for rating in _ratings(scenario, slot)) or None
    management = StkmManagement(
        protection_after_reception=policy.protection_after_reception,
        traffic_protection_protocol=TrafficProtection.SRTP,
        traffic_authentication=True,
        traffic_key_lifetime=_lifetime(scenario.stkm.crypto_period),
        access_criteria=criteria,
        terminal_binding_key_id=policy.binding_key_id,
        permissions_issuer_uri=policy.permissions_issuer.encode(),
    )
    return management.to_extension(tables)


def binding_key(scenario: Scenario, key_id: int) -> Secret:
    """Return the terminal binding key (16 bytes) of this ID."""
    return Seeded(scenario.seed).derive_secret(_KEY_SIZE, "tbk", key_id)


def bind(tek: Secret, tbk: Secret) -> Secret:
    """Return a TEK (16 bytes) as it goes into the STKM when it is bound to terminals that hold `tbk` (16 bytes)."""
    return Secret(aes_ecb_encrypt(tbk.reveal(), tek.reveal()))


def carried_tek(scenario: Scenario, slot: StkmSlot, key: TrafficKey) -> Secret:
    """Return what the STKM of a slot carries: the TEK, or the TEK bound to terminals."""
    policy = slot.service.bcast
    if policy is None or policy.binding_key_id is None:
        return key.tek
    return bind(key.tek, binding_key(scenario, policy.binding_key_id))


def _ratings(scenario: Scenario, slot: StkmSlot) -> list[Rating]:
    begins = (slot.mtk_id - 1) * scenario.stkm.crypto_period
    return [
        Rating(programme.rating_type, programme.rating)
        for programme in scenario.programmes
        if programme.service == slot.service.id and programme.begins <= begins < programme.ends
    ]


def _lifetime(milliseconds: int) -> int:
    """Return n where 2^n seconds is the shortest lifetime that covers a crypto period."""
    seconds = max(1, -(-milliseconds // 1000))
    return min((seconds - 1).bit_length(), _MOST_LIFETIME)
