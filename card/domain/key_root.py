"""Where the SMK of an LTKM comes from. The only thing in which the USIM and the CSIM path differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from card.crypto.secret import Secret
from card.domain.gba import Gba
from card.domain.mbms import MbmsKeys


@dataclass(frozen=True, slots=True)
class Smk:
    """A subscriber management key (MUK) and the counter of the last message accepted under it."""

    key: Secret
    counter: int


class KeyRoot(Protocol):
    """Finds the SMK named by an LTKM, and knows whether a newer one waits to be used."""

    def find_smk(self, id_i: bytes, id_r: bytes) -> Smk | None:
        """Return the SMK for the identities of the server (IDi) and the subscriber (IDr), or None."""

    def is_superseded(self, id_i: bytes) -> bool:
        """Tell whether a newer SMK exists for a server than the one its last accepted LTKM used."""


class GbaKeyRoot:
    """On a USIM the SMK is the MUK, which is Ks_int_NAF (TS 33.246 clause 6.1)."""

    def __init__(self, gba: Gba, keys: MbmsKeys) -> None:
        self._gba = gba
        self._keys = keys

    def find_smk(self, id_i: bytes, id_r: bytes) -> Smk | None:
        """Look among the MUKs in use, then among the NAF keys: a MUK in use outlives its NAF key (TS 33.220 G.2)."""
        muk = self._keys.find_muk(id_i, id_r)
        if muk is not None:
            return Smk(muk.key, muk.counter)
        naf_key = self._gba.naf_key(id_i)
        if naf_key is not None and naf_key.b_tid == id_r:
            return Smk(naf_key.key, 0)
        return None

    def is_superseded(self, id_i: bytes) -> bool:
        """Compare the MUK in use with the last NAF key derived; without either there is nothing to supersede."""
        muk, naf_key = self._keys.muk_of(id_i), self._gba.naf_key(id_i)
        return muk is not None and naf_key is not None and naf_key.b_tid != muk.id_r
