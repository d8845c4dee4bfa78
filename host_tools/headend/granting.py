"""A SEK with its key as BSM and BSD/A in two processes hand it over."""

from __future__ import annotations

from host_tools.exchange.messages.back_end import KeyGrant
from host_tools.headend.service_keys import ServiceKey


def as_grant(key: ServiceKey) -> KeyGrant:
    """Return what a message says of a SEK."""
    return KeyGrant(key.service, key.key_ids, key.first_mtk_id, key.last_mtk_id, key.key, key.rand, key.csb_id)


def as_key(grant: KeyGrant) -> ServiceKey:
    """Return the SEK that a message brings."""
    ids = grant.key_ids
    return ServiceKey(
        grant.service,
        ids.key_domain_id,
        ids.msk_id,
        grant.first_mtk_id,
        grant.last_mtk_id,
        grant.key,
        grant.rand,
        grant.csb_id,
    )
