"""The SEKs and PEKs that a BSD/A which makes STKMs itself got from the BSM."""

from __future__ import annotations

from card.codec.mikey import MbmsKeyIds
from host_tools.headend.bounded import BoundedTable
from host_tools.headend.sealing import SekSource
from host_tools.headend.service_keys import ServiceKey

_OF_A_SERVICE = 4  # the one in use, the next, and what copies and repeats may still want
_IN_ALL = 4096


class HandedSeks:
    """Asks for each key once; of a service only the newest are kept."""

    def __init__(self, bsm: SekSource) -> None:
        """Take whoever hands keys over."""
        self._bsm = bsm
        self._kept: BoundedTable[tuple[str, bytes, bytes], ServiceKey] = BoundedTable(_OF_A_SERVICE, _IN_ALL)

    def sek(self, service: str, key_ids: MbmsKeyIds) -> ServiceKey:
        """Return the key of this name. Raises `HeadendError`."""
        name = (service, key_ids.key_domain_id, key_ids.msk_id)
        kept = self._kept.get(name)
        if kept is None:
            kept = self._bsm.sek(service, key_ids)
            self._kept.put(service, name, kept)
        return kept
