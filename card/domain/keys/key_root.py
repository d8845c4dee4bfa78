"""Where the SMK of an LTKM comes from. The only thing in which the USIM and the CSIM path differ."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from card.crypto.bcmcs import RegistrationKey
from card.crypto.secret import Secret
from card.domain.authentication.gba import Gba, StoredNafKey
from card.domain.errors import KeyNotFound, NafKeyOverwritten
from card.domain.keys.freshness import NEVER
from card.domain.keys.mbms import MbmsKeys, StoredMuk
from card.lean import lean_dataclass
from card.spec.gba import naf_id


@lean_dataclass(frozen=True, slots=True)
class Smk:
    """A subscriber management key (MUK) and the counter of the last message accepted under it (`NEVER` for none).

    `superseded` says that a newer one was generated: an authentic message under this one is told, and not accepted.
    """

    key: Secret
    counter: int
    superseded: bool = False


class KeyRoot(Protocol):
    """Finds the SMK named by an LTKM, and keeps the counter of its messages."""

    def find_smk(self, id_i: bytes, id_r: bytes, rand: bytes) -> Smk:
        """Return the SMK for the identities of the server (IDi) and the subscriber (IDr).

        `rand` is the RAND of the LTKM, from which a root may derive it. Raises `KeyNotFound`, `NafKeyOverwritten`,
        `NoRoomForMuk`.
        """

    def accept(self, id_i: bytes, id_r: bytes, smk: Smk, counter: int) -> None:
        """Note that a message under an SMK was accepted. Raises `NoRoomForMuk`."""

    def delete_smk(self, id_i: bytes, id_r: bytes) -> None:
        """Forget an SMK in use for good: no old LTKM may be new again. Raises `KeyNotFound`."""


class GbaKeyRoot:
    """On a USIM the SMK is the MUK: the Ks_int_NAF of the BM-SC (TS 33.246 clause 6.1, TS 31.102 clause 7.1.1.6)."""

    def __init__(self, gba: Gba, keys: MbmsKeys) -> None:
        self._gba = gba
        self._keys = keys
        gba.overwritten = self._note_overwritten

    def find_smk(self, id_i: bytes, id_r: bytes, rand: bytes) -> Smk:
        """Take up a MUK derived since, then find the one the message names: generated last, or used last.

        A MUK in use outlives its NAF key (TS 31.102 clause 7.1.1.5); it is lost when a newer one was derived and
        overwritten.
        """
        del rand
        muk = self._current(id_i)
        if id_r == muk.id_r:
            return Smk(muk.key, muk.counter)
        if muk.used_key is not None and id_r == muk.used_id_r:
            return Smk(muk.used_key, NEVER, superseded=True)
        raise KeyNotFound

    def _current(self, id_i: bytes) -> StoredMuk:
        """Return the MUKs of a BM-SC with the one derived last taken up: before anybody looks at a MAC."""
        naf_key, muk = self._gba.naf_key(naf_id(id_i)), self._keys.muk_of(id_i)
        if naf_key is None:
            if muk is None or muk.overwritten:
                raise NafKeyOverwritten
            return muk
        if muk is not None and (muk.id_r, muk.key) == (naf_key.b_tid, naf_key.key):
            return muk
        self._gba.touch(naf_key.naf_id)
        return self._keys.take_up_muk(id_i, naf_key.b_tid, naf_key.key)

    def accept(self, id_i: bytes, id_r: bytes, smk: Smk, counter: int) -> None:
        """Set the counter in EF_MUK; the MUK generated last is now the one used last too."""
        muk = self._keys.muk_of(id_i)
        assert muk is not None
        self._keys.put_muk(replace(muk, counter=counter, used_id_r=id_r, used_key=smk.key))
        self._gba.touch(naf_id(id_i))

    def delete_smk(self, id_i: bytes, id_r: bytes) -> None:
        """Delete the MUK, the NAF key it is, and the Ks it came from (TS 31.102 clause 7.1.1.10)."""
        self._keys.delete_muk(id_i, id_r)
        self._gba.forget(naf_id(id_i), id_r)

    def _note_overwritten(self, naf_key: StoredNafKey) -> None:
        """A NAF key gave way: where it was a MUK not yet taken up, it cannot be any more.

        Where it was the MUK in use, derived once more, nothing is lost, whatever was overwritten before it.
        """
        for muk in self._keys.muks():
            if naf_id(muk.id_i) == naf_key.naf_id:
                lost = (muk.id_r, muk.key) != (naf_key.b_tid, naf_key.key)
                self._keys.put_muk(replace(muk, overwritten=lost))


class RkKeyRoot:
    """On a CSIM the SMK is the TK, derived from RK for the RAND of each LTKM (provisional: S.S0083-A was not at hand).

    The record of a MUK keeps the counter of the last LTKM; the key in it is the TK of that LTKM.
    """

    def __init__(self, root: RegistrationKey, nai: bytes, keys: MbmsKeys) -> None:
        self._root = root
        self._nai = nai
        self._keys = keys

    def find_smk(self, id_i: bytes, id_r: bytes, rand: bytes) -> Smk:
        """Derive the TK when the LTKM is for the NAI of this card; there is no other subscriber here."""
        if id_r != self._nai:
            raise KeyNotFound
        last = self._keys.muk_of(id_i)
        return Smk(self._root.derive_tk(rand), last.counter if last else NEVER)

    def accept(self, id_i: bytes, id_r: bytes, smk: Smk, counter: int) -> None:
        """Set the counter in the MUK file of the CSIM."""
        known = self._keys.muk_of(id_i)
        slot = known.slot if known else self._keys.free_muk_slot()
        self._keys.put_muk(StoredMuk(slot, id_i, id_r, smk.key, counter))

    def delete_smk(self, id_i: bytes, id_r: bytes) -> None:
        """Raise `KeyNotFound`: there is no MUK, and without the BSM's counter an old LTKM would be new again."""
        del id_i, id_r
        raise KeyNotFound
