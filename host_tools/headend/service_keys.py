"""The name of a SEK, the key itself, and the MTK IDs it is good for.

An STKM is protected with the SEK, but also with the RAND and CSB ID that came in the LTKM. A recording is
made before anyone knows under which SMK (that is: under which B-TID) the LTKMs will go out, so RAND and CSB
ID belong to the SEK here and not to the single LTKM: every LTKM that brings the SEK carries the same two, and
only T and the SMK differ. For RAND TS 33.246 clause 6.4.5.1 asks the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from card.codec.mikey import KeyInterval, MbmsKeyIds
from card.crypto.secret import Secret
from host_tools.headend.errors import HeadendError

_MTK_ID_SIZE = 2
_MTK_IDS = 1 << 16
NO_KEY_NUMBER = bytes(2)
"""Key Number of a message that brings no key of its own: "the current one" (TS 33.246 clause 6.3.2.1)."""

LAST_MTK_ID = 0xFFFE
"""No key is good for the highest number there is, FFFF (TS 33.246 clause 6.4.5.1)."""


@dataclass(frozen=True, slots=True)
class KeyTerm:
    """The name of a SEK, key domain (3 bytes) and MSK ID (4), and the MTK IDs it is good for.

    This is what the BSD/A must know of a key; the key itself need not leave the BSM.
    """

    service: str
    key_domain_id: bytes
    msk_id: bytes
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

    def is_good_for(self, mtk_id: int) -> bool:
        """Tell whether the crypto period with this MTK ID is under this key."""
        return self.first_mtk_id <= mtk_id <= self.last_mtk_id

    def lead_of(self, other: KeyTerm) -> int:
        """Return by how many MTK IDs another key of the service begins after this one, negative for before.

        MTK IDs may have begun anew in between, so half of all count as after, half as before.
        """
        return (other.first_mtk_id - self.first_mtk_id + _MTK_IDS // 2) % _MTK_IDS - _MTK_IDS // 2


@dataclass(frozen=True, slots=True)
class ServiceKey(KeyTerm):
    """One SEK: the key (16, 24 or 32 bytes), and RAND (16) and CSB ID (32 bits) of the LTKMs that bring it."""

    key: Secret
    rand: bytes
    csb_id: int

    @property
    def term(self) -> KeyTerm:
        """Its name alone."""
        return KeyTerm(self.service, self.key_domain_id, self.msk_id, self.first_mtk_id, self.last_mtk_id)


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


def find_key(keys: Iterable[ServiceKey], key_ids: MbmsKeyIds) -> ServiceKey | None:
    """Return the key of this name, None when none of them has it."""
    wanted = key_ids.key_domain_id, key_ids.msk_id
    return next((key for key in keys if (key.key_domain_id, key.msk_id) == wanted), None)
