"""The MBMS keys a card holds, and the files that show them: MUKs with EF_MUK, MSKs with EF_MSK.

Keys live in records of their own and never in a file; the files show identifiers and counters only, and are composed
when they are read (TS 31.102 clauses 4.2.80 and 4.2.81). What was heard under an MSK is kept apart (`freshness.py`), as
it can outlive the key.
"""

from __future__ import annotations

from dataclasses import field, replace
from typing import Protocol

from card.codec.tlv import encode_tlv
from card.crypto.mikey_keys import MikeyKeys, derive_psk_keys
from card.crypto.secret import Secret
from card.domain.errors import IdentifierTooLong, KeyNotFound, NoRoomForMsk, NoRoomForMuk
from card.domain.keys.freshness import NEVER, NO_MTK, Freshness, LastMessage
from card.domain.record_files import RecordFile
from card.lean import lean_dataclass
from card.state.nonvolatile import NonVolatile
from card.state.stored import StoredTable

MSKS_PER_GROUP = 2  # TS 31.102 clause 4.2.80
KEY_SIZES = frozenset({16, 24, 32})
"""Bytes of an MTK, which is an SRTP master key, and of the MSK that protects it (TS 33.246 clause 4.2)."""
_DELETED_MUKS = "deleted"
NOT_SHOWN = 0
"""Slot of an MSK that has no place in EF_MSK: kept for play-back, or for what was paid for it."""


@lean_dataclass(frozen=True, slots=True)
class StoredMuk:
    """The MUKs of one BM-SC, which IDi names: the one generated last and, inside the card, the one used last.

    `id_r`, `key` and `counter` (that of the last MSK message accepted, `NEVER` for none) are of the one generated last.
    `overwritten` says that a Ks_int_NAF derived later gave way to another before it was taken up.
    """

    slot: int
    id_i: bytes
    id_r: bytes
    key: Secret
    counter: int = NEVER
    used_id_r: bytes | None = None
    used_key: Secret | None = None
    overwritten: bool = False


@lean_dataclass(frozen=True, slots=True)
class MskDelivery:
    """An MSK (SEK or PEK) as its message brought it: 3-byte Key Domain ID, 4-byte MSK ID, key, and validity.

    `rand` is the RAND of the message.
    """

    key_domain: bytes
    msk_id: bytes
    key: Secret
    lower: int
    upper: int
    rand: bytes


@lean_dataclass(frozen=True, slots=True)
class StoredMsk:
    """An MSK (SEK or PEK): its 7-byte identifier, key, validity in MTK IDs, and what its MTK messages need.

    `lower` is SEQl, exclusive, and `upper` SEQu; `lower` above `upper` says that the BM-SC invalidated the key. `rand`
    came with the MSK message; `serial` grows with every MSK stored: it tells the older of two. `name` is what the MSK
    and what belongs to it are stored under.
    """

    slot: int
    key_domain: bytes
    msk_id: bytes
    key: Secret
    lower: int
    upper: int
    rand: bytes
    serial: int
    name: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Every MTK message asks for it.
        object.__setattr__(self, "name", msk_name(self.key_domain, self.msk_id))

    @property
    def group(self) -> bytes:
        """Key Domain ID and Key Group part: 5 bytes."""
        return self.key_domain + self.msk_id[:2]


class Dependents(Protocol):
    """What depends on MSKs and outlives plain MBMS: the policies of OMA BCAST."""

    def outlives(self, msk: StoredMsk) -> bool:
        """Tell whether an MSK that loses its place in EF_MSK must be kept all the same."""

    def make_room(self) -> None:
        """See to it that one more MSK can be kept outside EF_MSK. Raises `NoRoomForMsk`."""

    def forget(self, msk: StoredMsk) -> None:
        """Drop what depends on an MSK that goes."""


class MbmsKeys:
    """MUKs and MSKs of one application."""

    def __init__(self, nv: NonVolatile, application: str, muk_file: RecordFile, msk_file: RecordFile) -> None:
        self._nv = nv
        self._muks = StoredTable(nv, f"muk/{application}/", StoredMuk)
        self._msks = StoredTable(nv, f"msk/{application}/", StoredMsk)
        self._muk_file = muk_file
        self._msk_file = msk_file
        muk_file.show(self._muk_entry)
        msk_file.show(self._msk_entry)
        self._freshness = Freshness(nv, f"heard/{application}/")
        self._deleted_muks = Freshness(nv, f"heard-muk/{application}/")
        self._derived: dict[str, tuple[Secret, int, bytes, MikeyKeys]] = {}
        self.dependents: Dependents | None = None

    # --- MUKs

    def muk_of(self, id_i: bytes) -> StoredMuk | None:
        """Return the MUKs of a BM-SC: EF_MUK has no two records with one IDi (TS 31.102 clause 4.2.81)."""
        return next((muk for muk in self._muks.values() if muk.id_i == id_i), None)

    def muks(self) -> list[StoredMuk]:
        """Return the MUKs of all BM-SCs."""
        return list(self._muks.values())

    def take_up_muk(self, id_i: bytes, id_r: bytes, key: Secret) -> StoredMuk:
        """Make a Ks_int_NAF the MUK generated last; nothing was received under it yet (TS 31.102 clause 7.1.1.6).

        This stands whatever becomes of the message that led to it, so it is written at once. The same key again keeps
        its counter, or its MSK messages could all be sent once more. Raises `NoRoomForMuk`, also for identities that
        no record of EF_MUK can hold.
        """
        known = self.muk_of(id_i)
        if known is None:
            known = StoredMuk(self.free_muk_slot(), id_i, id_r, key)
            counter = self._deleted_muks.recall(_DELETED_MUKS, key).counter
        else:
            counter = known.counter if known.key == key else NEVER
        muk = replace(known, id_r=id_r, key=key, counter=counter, overwritten=False)
        self.put_muk(muk)
        self._nv.commit_now("a MUK is taken up before its MSK message is looked at, TS 31.102 clause 7.1.1.6")
        return muk

    def put_muk(self, muk: StoredMuk) -> None:
        """Store the MUKs of a BM-SC. Raises `NoRoomForMuk` for identities that no record of EF_MUK can hold."""
        try:
            self._muk_file.require_room(encode_muk_entry(muk))
        except IdentifierTooLong:
            raise NoRoomForMuk from None
        self._muks.put(f"{muk.slot:02X}", muk)

    def delete_muk(self, id_i: bytes, id_r: bytes) -> None:
        """Forget the MUKs of a BM-SC; MSKs that came under them stay. Raises `KeyNotFound`.

        Its counter is remembered: the same Ks_int_NAF can come again, and the LTKMs of before with it.
        """
        muk = self.muk_of(id_i)
        if muk is None or muk.id_r != id_r:
            raise KeyNotFound
        self._deleted_muks.note(_DELETED_MUKS, LastMessage(muk.counter))
        self._deleted_muks.leave(_DELETED_MUKS, muk.key)
        self._muks.delete(f"{muk.slot:02X}")

    def free_muk_slot(self) -> int:
        """Return the number of a free record of EF_MUK. Raises `NoRoomForMuk`."""
        return _first_free({muk.slot for muk in self._muks.values()}, self._muk_file.count, NoRoomForMuk)

    def _muk_entry(self, slot: int) -> bytes:
        muk = self._muks.get(f"{slot:02X}")
        return b"" if muk is None else encode_muk_entry(muk)

    # --- MSKs

    def find_msk(self, key_domain: bytes, msk_id: bytes) -> StoredMsk | None:
        """Return the MSK with this Key Domain ID (3 bytes) and MSK ID (4 bytes), or None."""
        return self._msks.get(msk_name(key_domain, msk_id))

    def msk_named(self, name: str) -> StoredMsk | None:
        """Return the MSK stored under a name, or None."""
        return self._msks.get(name)

    def msks(self) -> list[StoredMsk]:
        """Return all MSKs, oldest first."""
        return sorted((msk for msk in self._msks.values()), key=lambda msk: msk.serial)

    def msks_of(self, group: bytes) -> list[StoredMsk]:
        """Return the MSKs of a key group (5 bytes: Key Domain ID, Key Group part), oldest first."""
        return [msk for msk in self.msks() if msk.group == group]

    def keys_for(self, msk: StoredMsk, csb_id: int) -> MikeyKeys:
        """Return the keys of an MTK message; the last ones of every MSK are remembered, in memory only."""
        known = self._derived.get(msk.name)
        if known is not None and known[0] == msk.key and known[1:3] == (csb_id, msk.rand):
            return known[3]
        derived = derive_psk_keys(msk.key, csb_id, msk.rand)
        self._derived[msk.name] = (msk.key, csb_id, msk.rand, derived)
        return derived

    def store_msk(self, delivered: MskDelivery) -> StoredMsk:
        """Store an MSK by the MBMS rules (TS 31.102 clause 7.1.1.6).

        Its T goes on where the MSK ID is known, its MTK IDs begin anew. A third MSK of a group pushes the oldest out.
        Raises `NoRoomForMsk`.
        """
        msk = self._renewed(delivered)
        self._freshness.take_up(msk.name, msk.key)
        heard = self.heard(msk)
        if heard.last_mtk != NO_MTK:
            self._freshness.note(msk.name, replace(heard, last_mtk=NO_MTK))
        return self._show(msk)

    def renew_limits(self, msk: StoredMsk, lower: int, upper: int) -> None:
        """Give an MSK new limits for its MTK IDs; it is the newer one of its group then (TS 33.246 clause 6.5.3)."""
        self.store_msk(MskDelivery(msk.key_domain, msk.msk_id, msk.key, lower, upper, msk.rand))

    def store_governed_msk(self, delivered: MskDelivery, *, shown: bool) -> StoredMsk:
        """Store an MSK that policies of OMA BCAST govern. Raises `NoRoomForMsk`.

        Another key under the same identifier begins with a counter of its own. With `shown` the key gets a place in
        EF_MSK; without, it keeps the place it has.
        """
        known = self.find_msk(delivered.key_domain, delivered.msk_id)
        if known is None and not shown and self.dependents is not None:
            self.dependents.make_room()
        msk = self._renewed(delivered)
        if known is not None and known.key != msk.key:
            self._freshness.leave(msk.name, known.key)
        self._freshness.take_up(msk.name, msk.key)
        if shown:
            return self._show(msk)
        self._msks.put(msk.name, msk)
        return msk

    def heard(self, msk: StoredMsk) -> LastMessage:
        """Return what the last MTK message accepted under an MSK left behind."""
        return self._freshness.of(msk.name)

    def set_counter(self, msk: StoredMsk, counter: int, last_mtk: int) -> None:
        """Record the counter and the MTK ID of an accepted MTK message."""
        self._freshness.note(msk.name, LastMessage(counter, last_mtk))

    def assume_counter(self, msk: StoredMsk, counter: int) -> None:
        """Raise a counter that no MTK message set, or clear it (`NEVER`)."""
        heard = self.heard(msk)
        if counter != heard.counter:
            self._freshness.note(msk.name, replace(heard, counter=counter, assumed=counter != NEVER))

    def _renewed(self, delivered: MskDelivery) -> StoredMsk:
        """Return the record of a delivered MSK: the newest, in the place of the one with the same identifier."""
        old = self.find_msk(delivered.key_domain, delivered.msk_id)
        return StoredMsk(
            old.slot if old else NOT_SHOWN,
            delivered.key_domain,
            delivered.msk_id,
            delivered.key,
            delivered.lower,
            delivered.upper,
            delivered.rand,
            self._next_serial(),
        )

    def _show(self, msk: StoredMsk) -> StoredMsk:
        """Write an MSK with a place in EF_MSK; those it pushes out are dropped, or kept for what depends on them."""
        siblings = [other for other in self.msks_of(msk.group) if other.slot and other.msk_id != msk.msk_id]
        shown = replace(msk, slot=msk.slot or (siblings[0].slot if siblings else self._free_msk_slot()))
        self._msks.put(shown.name, shown)
        for surplus in siblings[: max(0, len(siblings) - MSKS_PER_GROUP + 1)]:
            if self.dependents is not None and self.dependents.outlives(surplus):
                self.dependents.make_room()
                self._msks.put(surplus.name, replace(surplus, slot=NOT_SHOWN))
            else:
                self.delete_msk(surplus)
        return shown

    def delete_group(self, group: bytes) -> None:
        """Forget every MSK of a key group. Raises `KeyNotFound` when there is none."""
        msks = self.msks_of(group)
        if not msks:
            raise KeyNotFound
        for msk in msks:
            self.delete_msk(msk)

    def delete_msk(self, msk: StoredMsk) -> None:
        """Forget one MSK."""
        self._msks.delete(msk.name)
        self._freshness.leave(msk.name, msk.key)
        self._derived.pop(msk.name, None)
        if self.dependents is not None:
            self.dependents.forget(msk)

    def _free_msk_slot(self) -> int:
        taken = {msk.slot for msk in self._msks.values()}
        return _first_free(taken, self._msk_file.count, NoRoomForMsk)

    def _next_serial(self) -> int:
        return 1 + max((msk.serial for msk in self._msks.values()), default=0)

    def _msk_entry(self, slot: int) -> bytes:
        """Return a record of EF_MSK: a Key Domain ID and its MSK IDs with their counters, the newer MSK first."""
        group = [msk for msk in reversed(self.msks()) if msk.slot == slot]
        if not group:
            return b""
        pairs = b"".join(msk.msk_id + _shown(self.heard(msk).counter) for msk in group)
        return group[0].key_domain + bytes((len(group),)) + pairs


def encode_muk_entry(muk: StoredMuk) -> bytes:
    """Return the content of an EF_MUK record (TS 31.102 clause 4.2.81)."""
    identity = encode_tlv(0x80, muk.id_r) + encode_tlv(0x82, muk.id_i)
    return encode_tlv(0xA0, identity) + encode_tlv(0x81, _shown(muk.counter))


def _shown(counter: int) -> bytes:
    return max(counter, 0).to_bytes(4, "big")


def msk_name(key_domain: bytes, msk_id: bytes) -> str:
    """Return the name under which an MSK is stored."""
    return f"{key_domain.hex()}-{msk_id.hex()}"


def _first_free(taken: set[int], count: int, full: type[NoRoomForMsk | NoRoomForMuk]) -> int:
    for slot in range(1, count + 1):
        if slot not in taken:
            return slot
    raise full
