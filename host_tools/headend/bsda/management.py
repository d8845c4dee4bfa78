"""The OMA BCAST side of STKMs: their management data, and TEKs bound to terminals.

provisional: layout by the tables; a bound TEK is AES-128 in ECB mode of the TEK under the terminal binding key (TBK),
16 bytes in and out, its salt left as it is.
"""

from __future__ import annotations

from card.codec.bcast import Rating, StkmManagement
from card.codec.mikey import Extension
from card.crypto.primitives import aes_ecb_encrypt
from card.crypto.secret import Secret
from card.spec.bcast.tables import BcastTables
from host_tools.content.traffic_key import TrafficKey
from host_tools.headend.bsda.channel import Channel
from host_tools.headend.bsda.ports import TrafficKeys
from host_tools.headend.bsda.slots import StkmSlot

_MOST_LIFETIME = 15


def stkm_extension(channel: Channel, slot: StkmSlot, tables: BcastTables) -> Extension | None:
    """Return the extension of one STKM, None for a service of plain MBMS."""
    policy = channel.service.bcast
    if policy is None:
        return None
    criteria = tuple(rating.to_descriptor(tables) for rating in _ratings(channel, slot)) or None
    management = StkmManagement(
        protection_after_reception=policy.protection_after_reception,
        traffic_protection_protocol=channel.protection.number,
        traffic_authentication=True,
        traffic_key_lifetime=_lifetime(channel.crypto_period),
        access_criteria=criteria,
        terminal_binding_key_id=policy.binding_key_id,
        permissions_issuer_uri=policy.permissions_issuer.encode(),
    )
    return management.to_extension(tables)


def bind(tek: Secret, tbk: Secret) -> Secret:
    """Return a TEK (16 bytes) as it goes into the STKM when it is bound to terminals that hold `tbk` (16 bytes)."""
    return Secret(aes_ecb_encrypt(tbk.reveal(), tek.reveal()))


def carried_tek(channel: Channel, key: TrafficKey, keys: TrafficKeys) -> Secret:
    """Return what the STKMs of a channel carry: the TEK, or the TEK bound to terminals."""
    policy = channel.service.bcast
    if policy is None or policy.binding_key_id is None:
        return key.tek
    return bind(key.tek, keys.binding_key(policy.binding_key_id))


def _ratings(channel: Channel, slot: StkmSlot) -> list[Rating]:
    begins = (slot.mtk_id - 1) % channel.round_periods * channel.crypto_period
    return [
        Rating(programme.rating_type, programme.rating)
        for programme in channel.programmes
        if programme.begins <= begins < programme.ends
    ]


def _lifetime(milliseconds: int) -> int:
    """Return n where 2^n seconds is the shortest lifetime that covers a crypto period."""
    seconds = max(1, -(-milliseconds // 1000))
    return min((seconds - 1).bit_length(), _MOST_LIFETIME)
