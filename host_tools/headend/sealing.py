"""Who makes an STKM: BSM or BSD/A (OMA BCAST architecture clause 5.4.5.3.2). Both do it through one port.

The BSD/A makes the TEK, so it always gives the order. A BSM that seals gets the order from it and gives back the STKM;
a BSD/A that seals gets the SEK or PEK from the BSM and keeps the order to itself. Order, key and STKM are all that
crosses between the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from card.codec.mikey import MbmsKeyIds
from host_tools.headend.service_keys import ServiceKey
from host_tools.headend.stkm import StkmContent, seal_stkm


@dataclass(frozen=True, slots=True)
class StkmOrder:
    """One STKM that is wanted: for which service, and what it is to say."""

    service: str
    content: StkmContent


class StkmSealer(Protocol):
    """Makes STKMs of one key profile."""

    def seal(self, order: StkmOrder, /) -> bytes:
        """Return the STKM. Raises `HeadendError` when there is no key for it, `EncodeError`."""


class SekSource(Protocol):
    """Who has the SEKs and PEKs."""

    def sek(self, service: str, key_ids: MbmsKeyIds, /) -> ServiceKey:
        """Return the key of this name, which need not name an MTK. Raises `HeadendError`."""


class MikeySealer:
    """Makes the STKMs of the Smartcard Profile: MIKEY under a SEK or PEK."""

    def __init__(self, seks: SekSource) -> None:
        """Take where the keys come from."""
        self._seks = seks

    def seal(self, order: StkmOrder) -> bytes:
        """Return the STKM. Raises `HeadendError` when there is no key for it, `EncodeError`."""
        sek = self._seks.sek(order.service, order.content.key_ids)
        return seal_stkm(order.content, sek.key, sek.csb_id, sek.rand)
