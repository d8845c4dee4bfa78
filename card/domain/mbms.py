"""The MBMS keys a card holds, and the files that show them: MUKs with EF_MUK, MSKs with EF_MSK.

Keys live in records of their own and never in a file; the files hold identifiers and counters only and are rewritten
in the same transaction (TS 31.102 clauses 4.2.80 and 4.2.81).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from card.codec.tlv import encode_tlv
from card.crypto.secret import Secret
from card.domain.errors import KeyNotFound, NoRoomForMsk, NoRoomForMuk
from card.domain.record_files import RecordFile
from card.state.nonvolatile import NonVolatile
from card.state.records import RecordTable

MSKS_PER_GROUP = 2  # TS 31.102 clause 4.2.80
_EMPTY_GROUP = b"\xff\xff\xff\x00"


@dataclass(frozen=True, slots=True)
class MukRecord:
    """A MUK in use: the identities that name it, the key, and the counter of the last MSK message accepted under it."""

    slot: int
    id_i: bytes
    id_r: bytes
    key: Secret
    counter: int = 0


@dataclass(frozen=True, slots=True)
class MskRecord:
    """An MSK (SEK or PEK): its 7-byte identifier, key, validity in MTK IDs, and what its MTK messages need.

    `rand` came with the MSK message; `counter` is that of the last MTK message accepted; `id_i` names the BM-SC that
    sent it; `serial` grows with every MSK stored, so the older of two can be told.
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
    counter: int = 0

    @property
    def group(self) -> bytes:
        """Key Domain ID and Key Group part: 5 bytes."""
        return self.key_domain + self.msk_id[:2]


class MbmsKeys:
    """MUKs and MSKs of one application."""

    def __init__(self, nv: NonVolatile, application: str, muk_file: RecordFile, msk_file: RecordFile) -> None:
        self._muks = RecordTable(nv, f"muk/{application}/", MukRecord)
        self._msks = RecordTable(nv, f"msk/{application}/", MskRecord)
        self._muk_file = muk_file
        self._msk_file = msk_file

    # --- MUKs

    def find_muk(self, id_i: bytes, id_r: bytes) -> MukRecord | None:
        """Return the MUK with these identities, or None."""
        muk = self.muk_of(id_i)
        return muk if muk is not None and muk.id_r == id_r else None

    def muk_of(self, id_i: bytes) -> MukRecord | None:
        """Return the MUK in use with a BM-SC: there is at most one (TS 31.102 clause 4.2.81)."""
        return next((muk for _, muk in self._muks.items() if muk.id_i == id_i), None)

    def use_muk(self, id_i: bytes, id_r: bytes, key: Secret, counter: int) -> None:
        """Record that a message under this MUK was accepted. Raises `NoRoomForMuk`, `IdentifierTooLong`."""
        known = self.muk_of(id_i)
        slot = known.slot if known else self._free_muk_slot()
        muk = MukRecord(slot, id_i, id_r, key, counter)
        self._muk_file.write(slot, encode_muk_entry(muk))
        self._muks.put(f"{slot:02X}", muk)

    def delete_muk(self, id_i: bytes, id_r: bytes) -> None:
        """Forget a MUK; MSKs that came under it stay. Raises `KeyNotFound`."""
        muk = self.find_muk(id_i, id_r)
        if muk is None:
            raise KeyNotFound
        self._muks.delete(f"{muk.slot:02X}")
        self._muk_file.clear(muk.slot)

    def _free_muk_slot(self) -> int:
        taken = {muk.slot for _, muk in self._muks.items()}
        return _first_free(taken, self._muk_file.count, NoRoomForMuk)

    # --- MSKs

    def find_msk(self, key_domain: bytes, msk_id: bytes) -> MskRecord | None:
        """Return the MSK with this Key Domain ID (3 bytes) and MSK ID (4 bytes), or None."""
        return self._msks.get(_msk_name(key_domain, msk_id))

    def msks_of(self, group: bytes) -> list[MskRecord]:
        """Return the MSKs of a key group (5 bytes: Key Domain ID, Key Group part), oldest first."""
        return sorted((msk for _, msk in self._msks.items() if msk.group == group), key=lambda msk: msk.serial)

    def store_msk(
        self,
        key_domain: bytes,
        msk_id: bytes,
        key: Secret,
        validity: tuple[int, int],
        rand: bytes,
        id_i: bytes,
    ) -> None:
        """Store an MSK, dropping the oldest of its group when there would be more than two. Raises `NoRoomForMsk`.

        Delivered again with the same key, an MSK keeps its replay counter; with another key it starts anew.
        """
        group = key_domain + msk_id[:2]
        old = self.find_msk(key_domain, msk_id)
        siblings = [msk for msk in self.msks_of(group) if msk.msk_id != msk_id]
        for surplus in siblings[: max(0, len(siblings) - MSKS_PER_GROUP + 1)]:
            self._msks.delete(_msk_name(surplus.key_domain, surplus.msk_id))
        slot = old.slot if old else siblings[0].slot if siblings else self._free_msk_slot()
        counter = old.counter if old and old.key == key else 0
        lower, upper = validity
        msk = MskRecord(slot, key_domain, msk_id, key, lower, upper, rand, id_i, self._next_serial(), counter)
        self._msks.put(_msk_name(key_domain, msk_id), msk)
        self._show_group(slot, group)

    def set_counter(self, msk: MskRecord, counter: int) -> None:
        """Record the counter of an accepted MTK message."""
        self._msks.put(_msk_name(msk.key_domain, msk.msk_id), replace(msk, counter=counter))
        self._show_group(msk.slot, msk.group)

    def delete_msk(self, msk: MskRecord) -> None:
        """Forget one MSK."""
        self._msks.delete(_msk_name(msk.key_domain, msk.msk_id))
        self._show_group(msk.slot, msk.group)

    def delete_group(self, group: bytes) -> None:
        """Forget every MSK of a key group. Raises `KeyNotFound` when there is none."""
        msks = self.msks_of(group)
        if not msks:
            raise KeyNotFound
        for msk in msks:
            self.delete_msk(msk)

    def _free_msk_slot(self) -> int:
        taken = {msk.slot for _, msk in self._msks.items()}
        return _first_free(taken, self._msk_file.count, NoRoomForMsk)

    def _next_serial(self) -> int:
        return 1 + max((msk.serial for _, msk in self._msks.items()), default=0)

    def _show_group(self, slot: int, group: bytes) -> None:
        self._msk_file.write(slot, encode_msk_entry(self.msks_of(group)))


def encode_muk_entry(muk: MukRecord) -> bytes:
    """Return the content of an EF_MUK record (TS 31.102 clause 4.2.81)."""
    identity = encode_tlv(0x80, muk.id_r) + encode_tlv(0x82, muk.id_i)
    return encode_tlv(0xA0, identity) + encode_tlv(0x81, muk.counter.to_bytes(4, "big"))


def encode_msk_entry(msks: list[MskRecord]) -> bytes:
    """Return the content of an EF_MSK record (TS 31.102 clause 4.2.80); an empty group leaves a cleared record."""
    if not msks:
        return _EMPTY_GROUP
    pairs = b"".join(msk.msk_id + msk.counter.to_bytes(4, "big") for msk in msks)
    return msks[0].key_domain + bytes((len(msks),)) + pairs


def _msk_name(key_domain: bytes, msk_id: bytes) -> str:
    return f"{key_domain.hex()}-{msk_id.hex()}"


def _first_free(taken: set[int], count: int, full: type[NoRoomForMsk | NoRoomForMuk]) -> int:
    for slot in range(1, count + 1):
        if slot not in taken:
            return slot
    raise full
