"""GBA_U on the card: bootstrapping and NAF keys (TS 33.220 clauses 5.3 and annex G, TS 31.102 clause 7.1.1)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from card.codec.reader import Reader
from card.codec.tlv import encode_tlv
from card.crypto.gba import derive_ks, derive_ks_ext_naf, derive_ks_int_naf
from card.crypto.secret import Secret
from card.domain.aka import Aka, SynchronisationFailure
from card.domain.errors import NoBootstrap
from card.domain.record_files import RecordFile
from card.errors import DecodeError
from card.filesystem.filesystem import FileSystem
from card.filesystem.node import FileNode
from card.state.nonvolatile import NonVolatile
from card.state.records import RecordTable


@dataclass(frozen=True, slots=True)
class BootstrapRecord:
    """The result of the last bootstrapping: Ks (32 bytes) and the RAND (16 bytes) it belongs to."""

    ks: Secret
    rand: bytes


@dataclass(frozen=True, slots=True)
class NafKeyRecord:
    """A Ks_int_NAF: the NAF it is for, the B-TID under which it was derived, and when it was last derived."""

    slot: int
    naf_id: bytes
    b_tid: bytes
    key: Secret
    serial: int


class Gba:
    """Bootstrapping state and NAF keys of one application, with EF_GBABP and EF_GBANL kept in step."""

    def __init__(
        self,
        nv: NonVolatile,
        application: str,
        aka: Aka,
        files: FileSystem,
        parameters: FileNode | None,
        naf_list: RecordFile,
    ) -> None:
        self._aka = aka
        self._files = files
        self._parameters = parameters
        self._naf_list = naf_list
        self._bootstrap = RecordTable(nv, f"gba/{application}/", BootstrapRecord)
        self._naf_keys = RecordTable(nv, f"naf/{application}/", NafKeyRecord)

    def bootstrap(self, rand: bytes, autn_star: bytes) -> bytes | SynchronisationFailure:
        """Run the bootstrapping; return RES. Replaces the earlier Ks; the B-TID is empty until the terminal writes it.

        Raises `MacMismatch`, and `NoBootstrap` when the card has no EF_GBABP to hold the RAND.
        """
        result = self._aka.authenticate_gba(rand, autn_star)
        if isinstance(result, SynchronisationFailure):
            return result
        if self._parameters is None:
            raise NoBootstrap
        self._bootstrap.put("ks", BootstrapRecord(derive_ks(result.ck, result.ik), rand))
        # provisional: how an empty B-TID and lifetime look (TS 31.102 clause 4.2.79 gives the layout only).
        self._files.contents.replace(self._parameters, bytes((len(rand),)) + rand + b"\x00\x00")
        return result.res

    def derive_naf_keys(self, naf_id: bytes, impi: bytes) -> Secret:
        """Derive both NAF keys from Ks; keep Ks_int_NAF and return Ks_ext_NAF (32 bytes).

        A new key for the same NAF replaces the old one; with no slot free the one derived longest ago goes
        (TS 33.220 clause G.2). Raises `NoBootstrap`, `IdentifierTooLong`.
        """
        bootstrap = self._bootstrap.get("ks")
        if bootstrap is None:
            raise NoBootstrap
        internal = derive_ks_int_naf(bootstrap.ks, bootstrap.rand, impi, naf_id)
        keys = list(self._naf_keys.values())
        slot = self._slot_for(naf_id, keys)
        serial = 1 + max((key.serial for key in keys), default=0)
        record = NafKeyRecord(slot, naf_id, self.b_tid(), internal, serial)
        self._naf_list.write(slot, encode_tlv(0x80, naf_id) + encode_tlv(0x81, record.b_tid))
        self._naf_keys.put(f"{slot:02X}", record)
        return derive_ks_ext_naf(bootstrap.ks, bootstrap.rand, impi, naf_id)

    def b_tid(self) -> bytes:
        """Return the B-TID that the terminal wrote into EF_GBABP, empty when it has not yet."""
        if self._parameters is None:
            return b""
        reader = Reader(self._files.contents.whole(self._parameters))
        try:
            reader.lv("RAND")
            return reader.lv("B-TID")
        except DecodeError:
            return b""

    def naf_key(self, naf_id: bytes) -> NafKeyRecord | None:
        """Return the Ks_int_NAF last derived for a NAF, or None."""
        return next((key for key in self._naf_keys.values() if key.naf_id == naf_id), None)

    def touch(self, naf_id: bytes) -> None:
        """Note that the Ks_int_NAF of a NAF was used in an AUTHENTICATE command (TS 31.102 clause 7.1.1.5)."""
        keys = list(self._naf_keys.values())
        latest = max((key.serial for key in keys), default=0)
        used = next((key for key in keys if key.naf_id == naf_id), None)
        if used is not None and used.serial != latest:
            self._naf_keys.put(f"{used.slot:02X}", replace(used, serial=latest + 1))

    def forget_naf_key(self, naf_id: bytes, b_tid: bytes) -> None:
        """Drop the Ks_int_NAF of a NAF if it was derived under this B-TID."""
        key = self.naf_key(naf_id)
        if key is not None and key.b_tid == b_tid:
            self._naf_keys.delete(f"{key.slot:02X}")
            self._naf_list.clear(key.slot)

    def _slot_for(self, naf_id: bytes, keys: list[NafKeyRecord]) -> int:
        same = next((key.slot for key in keys if key.naf_id == naf_id), None)
        if same is not None:
            return same
        taken = {key.slot for key in keys}
        free = next((slot for slot in range(1, self._naf_list.count + 1) if slot not in taken), None)
        if free is not None:
            return free
        return min(keys, key=lambda key: key.serial).slot if keys else 1
