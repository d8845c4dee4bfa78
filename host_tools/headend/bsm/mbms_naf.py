"""The BM-SC as a server of GBA: gets the MUK and MRK of subscribers from the BSF and keeps them (TS 33.246 clause 6.1).

The BSF forgets a Ks when a new one is made; the BM-SC goes on with the MUK it knows, and asks the terminal for the new
B-TID with a solicited pull under it (clause 6.3.2.2.4). Of each subscriber it keeps two: the terminal has no more.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from card.crypto.gba import derive_ks_naf_mrk
from card.crypto.secret import Secret
from host_tools.exchange.messages.zn import KeyChoice
from host_tools.headend.bounded import BoundedTable
from host_tools.headend.bsf.answers import NafKeys, Push
from host_tools.headend.bsm.ports import MbmsKeys, Muks
from host_tools.headend.subscribers.memory import MOST_SUBSCRIBERS

MUKS_OF_A_SUBSCRIBER = 2
"""How many MUKs of a subscriber are kept: the terminal has no more (TS 33.246 clause 6.1)."""


class Zn(Protocol):
    """The BSF as a server of GBA sees it (TS 33.220 clause 4.4.6), here or behind a wire."""

    def naf_keys(self, naf: str, b_tid: str, naf_id: bytes, /, *, gba_u_aware: bool) -> NafKeys:
        """Return the keys behind a B-TID. Raises `HeadendError`."""

    def push(self, naf: str, impi: str, naf_id: bytes, lifetime: timedelta, p_tid: str, /) -> Push:
        """Set up keys with a terminal that did not ask. Raises `HeadendError`."""


def mbms_keys(keys: NafKeys) -> MbmsKeys:
    """Return MUK and MRK from NAF keys, as TS 33.246 clause 6.1 and annex F assign them.

    With MBMS in a GBA_U card: Ks_int_NAF and Ks_ext_NAF. With MBMS in the terminal the key it has is the MUK, and the
    MRK is derived from it. Which of the two a GBA_U card is, `key_choice` tells.
    """
    if keys.uicc_key is not None and keys.key_choice is not KeyChoice.ME_BASED:
        return MbmsKeys(keys.impi, keys.uicc_key, keys.me_key, keys.expires)
    return MbmsKeys(keys.impi, keys.me_key, derive_ks_naf_mrk(keys.me_key), keys.expires)


class MemoryMuks:
    """MUKs in memory."""

    def __init__(self) -> None:
        # As many as subscribers may have: an MUK that gave way while it is in use would begin with T = 1 again.
        self._known: BoundedTable[str, MbmsKeys] = BoundedTable(
            MUKS_OF_A_SUBSCRIBER, MUKS_OF_A_SUBSCRIBER * MOST_SUBSCRIBERS
        )

    def find(self, b_tid: str) -> MbmsKeys | None:
        """Return the keys of a B-TID, None when there are none."""
        return self._known.get(b_tid)

    def keep(self, b_tid: str, keys: MbmsKeys) -> None:
        """Keep the keys of a new B-TID."""
        self._known.put(keys.impi, b_tid, keys)


class MbmsNaf:
    """Knows the MBMS keys of the subscribers of one BSF."""

    def __init__(self, bsf: Zn, name: str, muks: Muks | None = None) -> None:
        """Take the BSF, the name under which it knows this BM-SC, and where MUKs are kept: by default in memory."""
        self._bsf = bsf
        self._name = name
        self._known = muks or MemoryMuks()

    def smk(self, b_tid: str, naf_id: bytes, rand: bytes) -> Secret:
        """Return the MUK, the same for every LTKM. Raises `HeadendError`."""
        del rand
        return self._keys(b_tid, naf_id).muk

    def srk(self, b_tid: str, naf_id: bytes) -> Secret:
        """Return the MRK. Raises `HeadendError`."""
        return self._keys(b_tid, naf_id).mrk

    def expires(self, b_tid: str, naf_id: bytes) -> datetime:
        """Return when the MUK is over. Raises `HeadendError`."""
        return self._keys(b_tid, naf_id).expires

    def identity(self, b_tid: str, naf_id: bytes) -> str:
        """Return the IMPI, which ties the B-TIDs of a subscriber together. Raises `HeadendError`."""
        return self._keys(b_tid, naf_id).impi

    def knows(self, b_tid: str) -> bool:
        """Tell whether the keys of a B-TID are here already."""
        return self._known.find(b_tid) is not None

    def push(self, impi: str, naf_id: bytes, lifetime: timedelta, p_tid: str) -> Push:
        """Set up keys with a terminal that cannot ask for them: LTKMs under them go to the push's `downlink_id`.

        Such a terminal has no way back, so they ask for no verification message. Raises `HeadendError`.
        """
        pushed = self._bsf.push(self._name, impi, naf_id, lifetime, p_tid)
        self._known.keep(pushed.downlink_id, mbms_keys(pushed.keys))
        return pushed

    def _keys(self, b_tid: str, naf_id: bytes) -> MbmsKeys:
        found = self._known.find(b_tid)
        if found is None:
            found = mbms_keys(self._bsf.naf_keys(self._name, b_tid, naf_id, gba_u_aware=True))
            self._known.keep(b_tid, found)
        return found
