"""The BSM towards the BSD/A: STKMs for it, or the keys to make them (OMA BCAST architecture clause 5.4.5.3.2)."""

from __future__ import annotations

from collections.abc import Callable

from card.codec.mikey import MbmsKeyIds
from host_tools.headend.bsm.ports import KeyStore
from host_tools.headend.errors import HeadendError
from host_tools.headend.sealing import SekSource, StkmOrder, StkmSealer
from host_tools.headend.service_keys import ServiceKey, find_key


class BackEnd:
    """Serves one BSD/A. `sealed` counts the STKMs made here, `handed_over` the keys that went out."""

    def __init__(self, keys: KeyStore, make_sealer: Callable[[SekSource], StkmSealer]) -> None:
        """Take the keys of the BSM, and what makes its sealer from them."""
        self._keys = keys
        self._sealer = make_sealer(_Own(keys))
        self.sealed = 0
        self.handed_over = 0

    def seal(self, order: StkmOrder) -> bytes:
        """Take a TEK with its parameters and return the STKM. Raises `HeadendError`, `EncodeError`."""
        stkm = self._sealer.seal(order)
        self.sealed += 1
        return stkm

    def sek(self, service: str, key_ids: MbmsKeyIds) -> ServiceKey:
        """Hand a SEK over to a BSD/A that makes STKMs itself. Raises `HeadendError`."""
        found = find_sek(self._keys, service, key_ids)
        self.handed_over += 1
        return found


class _Own:
    """The keys as the BSM's own sealer sees them."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    def sek(self, service: str, key_ids: MbmsKeyIds) -> ServiceKey:
        return find_sek(self._keys, service, key_ids)


def find_sek(keys: KeyStore, service: str, key_ids: MbmsKeyIds) -> ServiceKey:
    """Return the SEK of this name; where an MTK is named, it must be good for it. Raises `HeadendError`."""
    key = find_key(keys.seks(service), key_ids)
    if key is None:
        raise HeadendError(f"{service} has no SEK {key_ids.msk_id.hex()}")
    if key_ids.mtk_id is not None and not key.is_good_for(int.from_bytes(key_ids.mtk_id, "big")):
        raise HeadendError(f"SEK {key.msk_id.hex()} of {service} is not good for MTK ID {key_ids.mtk_id.hex()}")
    return key
