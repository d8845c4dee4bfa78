"""Where the SMK of an LTKM comes from. The only thing in which the USIM and the CSIM path differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from card.crypto.bcmcs import RegistrationKey
from card.crypto.secret import Secret
from card.domain.errors import KeyNotFound
from card.domain.gba import Gba
from card.domain.mbms import MbmsKeys


@dataclass(frozen=True, slots=True)
class Smk:
    """A subscriber management key (MUK) and the counter of the last message accepted under it."""

    key: Secret
    counter: int


class KeyRoot(Protocol):
    """Finds the SMK named by an LTKM, and knows whether a newer one waits to be used."""

    def find_smk(self, id_i: bytes, id_r: bytes, rand: bytes) -> Smk | None:
        """Return the SMK for the identities of the server (IDi) and the subscriber (IDr), or None.

        `rand` is the RAND of the LTKM, from which a root may derive it.
        """

    def is_superseded(self, id_i: bytes) -> bool:
        """Tell whether a newer SMK exists for a server than the one its last accepted LTKM used."""

    def delete_smk(self, id_i: bytes, id_r: bytes) -> None:
        """Forget an SMK in use for good: no old LTKM may be new again. Raises `KeyNotFound`."""


class GbaKeyRoot:
    """On a USIM the SMK is the MUK, which is Ks_int_NAF (TS 33.246 clause 6.1)."""

    def __init__(self, gba: Gba, keys: MbmsKeys) -> None:
        self._gba = gba
        self._keys = keys

    def find_smk(self, id_i: bytes, id_r: bytes, rand: bytes) -> Smk | None:
        """Look among the MUKs in use, then among the NAF keys: a MUK in use outlives its NAF key (TS 33.220 G.2)."""
        del rand
        muk = self._keys.find_muk(id_i, id_r)
        if muk is not None:
            return Smk(muk.key, muk.counter)
        naf_key = self._gba.naf_key(id_i)
        if naf_key is not None and naf_key.b_tid == id_r:
            return Smk(naf_key.key, self._keys.counter_of_deleted_muk(naf_key.key))
        return None

    def is_superseded(self, id_i: bytes) -> bool:
        """Compare the MUK in use with the last NAF key derived; without either there is nothing to supersede."""
        muk, naf_key = self._keys.muk_of(id_i), self._gba.naf_key(id_i)
        return muk is not None and naf_key is not None and naf_key.b_tid != muk.id_r

    def delete_smk(self, id_i: bytes, id_r: bytes) -> None:
        """Delete the MUK and the NAF key it is; derived again from the same Ks, it goes on with its counter."""
        self._keys.delete_muk(id_i, id_r)
        self._gba.forget_naf_key(id_i, id_r)


class RkKeyRoot:
    """On a CSIM the SMK is the TK, derived from RK for the RAND of each LTKM (provisional: S.S0083-A was not at hand).

    The record of a MUK keeps the counter of the last LTKM; the key in it is the TK of that LTKM.
    """

    def __init__(self, root: RegistrationKey, nai: bytes, keys: MbmsKeys) -> None:
        self._root = root
        self._nai = nai
        self._keys = keys

    def find_smk(self, id_i: bytes, id_r: bytes, rand: bytes) -> Smk | None:
        """Derive the TK when the LTKM is for the NAI of this card; there is no other subscriber here."""
        if id_r != self._nai:
            return None
        last = self._keys.muk_of(id_i)
        return Smk(self._root.derive_tk(rand), last.counter if last else 0)

    def is_superseded(self, id_i: bytes) -> bool:
        """A TK serves one LTKM and is never waiting to be used."""
        del id_i
        return False

    def delete_smk(self, id_i: bytes, id_r: bytes) -> None:
        """Raise `KeyNotFound`: there is no MUK, and without the BSM's counter an old LTKM would be new again."""
        del id_i, id_r
        raise KeyNotFound
