"""The MBMS keys a card holds, and the files that show them: MUKs with EF_MUK, MSKs with EF_MSK.

Keys live in records of their own and never in a file; the files hold identifiers and counters only (TS 31.102 clauses
4.2.80 and 4.2.81). EF_MUK is rewritten in the same transaction; EF_MSK, which changes with every MTK message, is
composed when it is read. What was heard under a key is kept apart (`freshness.py`), as it outlives the key.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

from card.codec.tlv import encode_tlv
from card.crypto.mikey_keys import MikeyKeys, derive_psk_keys
from card.crypto.secret import Secret
from card.domain.errors import KeyNotFound, NoRoomForMsk, NoRoomForMuk
from card.domain.freshness import Freshness, Heard, fingerprint
from card.domain.record_files import RecordFile
from card.state.nonvolatile import NonVolatile
from card.state.records import RecordTable

MSKS_PER_GROUP = 2  # TS 31.102 clause 4.2.80
_EMPTY_GROUP = b"\xff\xff\xff\x00"
NOT_SHOWN = 0
"""Slot of an MSK that has no place in EF_MSK: kept for play-back, or for what was paid for it."""


@dataclass(frozen=True, slots=True)
class MukRecord:
    """A MUK in use: the identities that name it, the key, and the counter of the last MSK message accepted under it."""

    slot: int
    id_i: bytes
    id_r: bytes
    key: Secret
    counter: int = 0


@dataclass(frozen=True, slots=True)
class Delivered:
    """An MSK (SEK or PEK) as its message brought it: 3-byte Key Domain ID, 4-byte MSK ID, key, and validity.

    `rand` is the RAND of the message, `id_i` names the BM-SC that sent it.
    """

    key_domain: bytes
    msk_id: bytes
    key: Secret
    lower: int
    upper: int
    rand: bytes
    id_i: bytes


@dataclass(frozen=True, slots=True)
class MskRecord:
    """An MSK (SEK or PEK): its 7-byte identifier, key, validity in MTK IDs, and what its MTK messages need.

    `rand` came with the MSK message; `id_i` names the BM-SC that sent it; `serial` grows with every MSK stored: it
    tells the older of two. `name` is what the MSK and what belongs to it are stored under, `freshness` its counters.
    """

    slot: int
    key_domain: bytes
    msk_id: bytes
    key: Secret
    lower: int
    upper: int
    rand: bytes
    id_i: bytes
    serial: int
    name: str = field(init=False, repr=False, compare=False)
    freshness: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Every MTK message asks for them.
        object.__setattr__(self, "name", msk_name(self.key_domain, self.msk_id))
        object.__setattr__(self, "freshness", f"{self.name}-{fingerprint(self.key)}")

    @property
    def group(self) -> bytes:
        """Key Domain ID and Key Group part: 5 bytes."""
        return self.key_domain + self.msk_id[:2]


class Dependents(Protocol):
    """What depends on MSKs and outlives plain MBMS: the policies of OMA BCAST."""

    def outlives(self, msk: MskRecord) -> bool:
        """Tell whether an MSK that loses its place in EF_MSK must be kept all the same."""

    def make_room(self) -> None:
        """See to it that one more MSK can be kept outside EF_MSK. Raises `NoRoomForMsk`."""

    def forget(self, msk: MskRecord) -> None:
        """Drop what depends on an MSK that goes."""


class MbmsKeys:
    """MUKs and MSKs of one application."""

    def __init__(self, nv: NonVolatile, application: str, muk_file: RecordFile, msk_file: RecordFile) -> None:
        self._muks = RecordTable(nv, f"muk/{application}/", MukRecord)
        self._msks = RecordTable(nv, f"msk/{application}/", MskRecord)
        self._muk_file = muk_file
        self._msk_file = msk_file
        msk_file.show(self._msk_entry)
        self._freshness = Freshness(nv, f"heard/{application}/")
        self._deleted_muks = Freshness(nv, f"heard-muk/{application}/")
        self._derived: dict[str, tuple[Secret, int, bytes, MikeyKeys]] = {}
        self.dependents: Dependents | None = None

    # --- MUKs

    def find_muk(self, id_i: bytes, id_r: bytes) -> MukRecord | None:
        """Return the MUK with these identities, or None."""
        muk = self.muk_of(id_i)
        return muk if muk is not None and muk.id_r == id_r else None

    def muk_of(self, id_i: bytes) -> MukRecord | None:
        """Return the MUK in use with a BM-SC: there is at most one (TS 31.102 clause 4.2.81)."""
        return next((muk for muk in self._muks.values() if muk.id_i == id_i), None)

    def use_muk(self, id_i: bytes, id_r: bytes, key: Secret, counter: int) -> None:
        """Record that a message under this MUK was accepted. Raises `NoRoomForMuk`, `IdentifierTooLong`."""
        known = self.muk_of(id_i)
        slot = known.slot if known else self._free_muk_slot()
        muk = MukRecord(slot, id_i, id_r, key, counter)
        self._muk_file.write(slot, encode_muk_entry(muk))
        self._muks.put(f"{slot:02X}", muk)

    def delete_muk(self, id_i: bytes, id_r: bytes) -> None:
        """Forget a MUK; MSKs that came under it stay. Raises `KeyNotFound`.

        The same Ks yields the same MUK again: its counter is kept, or the LTKMs of before could be sent once more.
        """
        muk = self.find_muk(id_i, id_r)
        if muk is None:
            raise KeyNotFound
        self._deleted_muks.note(fingerprint(muk.key), Heard(muk.counter))
        self._deleted_muks.leave(fingerprint(muk.key))
        self._muks.delete(f"{muk.slot:02X}")
        self._muk_file.clear(muk.slot)

    def counter_of_deleted_muk(self, key: Secret) -> int:
        """Return the counter of the last message accepted under a MUK that was deleted, 0 when there was none."""
        return self._deleted_muks.of(fingerprint(key)).counter

    def _free_muk_slot(self) -> int:
        taken = {muk.slot for muk in self._muks.values()}
        return _first_free(taken, self._muk_file.count, NoRoomForMuk)

    # --- MSKs

    def find_msk(self, key_domain: bytes, msk_id: bytes) -> MskRecord | None:
        """Return the MSK with this Key Domain ID (3 bytes) and MSK ID (4 bytes), or None."""
        return self._msks.get(msk_name(key_domain, msk_id))

    def msk_named(self, name: str) -> MskRecord | None:
        """Return the MSK stored under a name, or None."""
        return self._msks.get(name)

    def msks(self) -> list[MskRecord]:
        """Return all MSKs, oldest first."""
        return sorted((msk for msk in self._msks.values()), key=lambda msk: msk.serial)

    def msks_of(self, group: bytes) -> list[MskRecord]:
        """Return the MSKs of a key group (5 bytes: Key Domain ID, Key Group part), oldest first."""
        return [msk for msk in self.msks() if msk.group == group]

    def keys_for(self, msk: MskRecord, csb_id: int) -> MikeyKeys:
        """Return the keys of an MTK message; the last ones of every MSK are remembered, in memory only."""
        known = self._derived.get(msk.name)
        if known is not None and known[0] == msk.key and known[1:3] == (csb_id, msk.rand):
            return known[3]
        derived = derive_psk_keys(msk.key, csb_id, msk.rand)
        self._derived[msk.name] = (msk.key, csb_id, msk.rand, derived)
        return derived

    def store_msk(self, delivered: Delivered) -> MskRecord:
        """Store an MSK, dropping the oldest of its group when there would be more than two. Raises `NoRoomForMsk`."""
        return self._show(self._renewed(delivered))

    def keep_msk(self, delivered: Delivered) -> MskRecord:
        """Store an MSK that need not be shown in EF_MSK; one that is shown keeps its place. Raises `NoRoomForMsk`."""
        known = self.find_msk(delivered.key_domain, delivered.msk_id)
        if known is None and self.dependents is not None:
            self.dependents.make_room()
        msk = self._renewed(delivered)
        self._msks.put(msk.name, msk)
        return msk

    def heard(self, msk: MskRecord) -> Heard:
        """Return what the last MTK message accepted under an MSK left behind."""
        return self._freshness.of(msk.freshness)

    def set_counter(self, msk: MskRecord, counter: int, last_mtk: int) -> None:
        """Record the counter and the MTK ID of an accepted MTK message."""
        self._freshness.note(msk.freshness, Heard(counter, last_mtk))

    def assume_counter(self, msk: MskRecord, counter: int) -> None:
        """Raise or clear a counter that no MTK message set."""
        heard = self.heard(msk)
        if counter != heard.counter:
            self._freshness.note(msk.freshness, replace(heard, counter=counter, assumed=counter > 0))

    def _renewed(self, delivered: Delivered) -> MskRecord:
        """Return the record of a delivered MSK; under the same name there was perhaps another key, which goes."""
        old = self.find_msk(delivered.key_domain, delivered.msk_id)
        slot = old.slot if old else NOT_SHOWN
        fresh = MskRecord(
            slot,
            delivered.key_domain,
            delivered.msk_id,
            delivered.key,
            delivered.lower,
            delivered.upper,
            delivered.rand,
            delivered.id_i,
            self._next_serial(),
        )
        if old is not None and old.key != fresh.key:
            self._freshness.leave(old.freshness)
        self._freshness.take_up(fresh.freshness)
        return fresh

    def _show(self, msk: MskRecord) -> MskRecord:
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

    def delete_msk(self, msk: MskRecord) -> None:
        """Forget one MSK."""
        self._msks.delete(msk.name)
        self._freshness.leave(msk.freshness)
        self._derived.pop(msk.name, None)
        if self.dependents is not None:
            self.dependents.forget(msk)

    def _free_msk_slot(self) -> int:
        taken = {msk.slot for msk in self._msks.values()}
        return _first_free(taken, self._msk_file.count, NoRoomForMsk)

    def _next_serial(self) -> int:
        return 1 + max((msk.serial for msk in self._msks.values()), default=0)

    def _msk_entry(self, slot: int) -> bytes:
        """Return a record of EF_MSK: a Key Domain ID and its MSK IDs with their counters (TS 31.102 clause 4.2.80)."""
        group = [msk for msk in self.msks() if msk.slot == slot]
        if not group:
            return _EMPTY_GROUP
        pairs = b"".join(msk.msk_id + self.heard(msk).counter.to_bytes(4, "big") for msk in group)
        return group[0].key_domain + bytes((len(group),)) + pairs


def encode_muk_entry(muk: MukRecord) -> bytes:
    """Return the content of an EF_MUK record (TS 31.102 clause 4.2.81)."""
    identity = encode_tlv(0x80, muk.id_r) + encode_tlv(0x82, muk.id_i)
    return encode_tlv(0xA0, identity) + encode_tlv(0x81, muk.counter.to_bytes(4, "big"))


def msk_name(key_domain: bytes, msk_id: bytes) -> str:
    """Return the name under which an MSK is stored."""
    return f"{key_domain.hex()}-{msk_id.hex()}"


def _first_free(taken: set[int], count: int, full: type[NoRoomForMsk | NoRoomForMuk]) -> int:
    for slot in range(1, count + 1):
        if slot not in taken:
            return slot
    raise full
