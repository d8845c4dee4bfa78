"""GBA_U on the card: bootstrapping and NAF keys (TS 31.102 clauses 7.1.1.4 and 7.1.1.5, TS 33.220 clause 5.3, annex G).

EF_GBANL is composed from the NAF keys when it is read. EF_GBABP is a file, for the terminal writes part of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from card.codec.ef.names import decode_text_object
from card.codec.reader import Reader
from card.codec.tlv import encode_tlv
from card.crypto.gba import derive_ks, derive_ks_ext_naf, derive_ks_int_naf, flip_res
from card.crypto.secret import Secret
from card.domain.authentication.aka import Aka, SynchronisationFailure
from card.domain.errors import NoBootstrap, NoImpi
from card.domain.record_files import RecordFile
from card.errors import DecodeError
from card.filesystem.filesystem import FileSystem
from card.filesystem.node import FileNode
from card.lean import lean_dataclass
from card.state.nonvolatile import NonVolatile
from card.state.stored import StoredTable


@lean_dataclass(frozen=True, slots=True)
class StoredBootstrap:
    """The result of the last bootstrapping: Ks (32 bytes) and the RAND (16 bytes) it belongs to."""

    ks: Secret
    rand: bytes


@lean_dataclass(frozen=True, slots=True)
class StoredNafKey:
    """A Ks_int_NAF: the NAF it is for, the B-TID under which it was derived, and when it was last used or derived."""

    slot: int
    naf_id: bytes
    b_tid: bytes
    key: Secret
    serial: int


class Gba:
    """Bootstrapping state and NAF keys of one application, with EF_GBABP and EF_GBANL kept in step.

    `impi` is EF_IMPI, which an ISIM has. `plain_res` is for cards of before RES was flipped in GBA_U. `overwritten`
    hears of each NAF key that has to give way to another.
    """

    def __init__(
        self,
        nv: NonVolatile,
        application: str,
        aka: Aka,
        files: FileSystem,
        parameters: FileNode | None,
        naf_list: RecordFile,
        *,
        impi: FileNode | None = None,
        plain_res: bool = False,
    ) -> None:
        self._aka = aka
        self._files = files
        self._parameters = parameters
        self._naf_list = naf_list
        self._impi = impi
        self._plain_res = plain_res
        self._bootstrap = StoredTable(nv, f"gba/{application}/", StoredBootstrap)
        self._naf_keys = StoredTable(nv, f"naf/{application}/", StoredNafKey)
        self.overwritten: Callable[[StoredNafKey], None] = lambda _: None
        naf_list.show(self._naf_entry)

    def bootstrap(self, rand: bytes, autn_star: bytes) -> bytes | SynchronisationFailure:
        """Run the bootstrapping; return RES with its last bit flipped (TS 31.102 clause 7.1.1.4).

        Replaces the earlier Ks, not the NAF keys; the B-TID is empty until the terminal writes it. Raises
        `MacMismatch`, and `NoBootstrap` when the card has no EF_GBABP to hold the RAND.
        """
        result = self._aka.authenticate_gba(rand, autn_star)
        if isinstance(result, SynchronisationFailure):
            return result
        if self._parameters is None:
            raise NoBootstrap
        self._bootstrap.put("ks", StoredBootstrap(derive_ks(result.ck, result.ik), rand))
        # Only RAND is said to be written (TS 31.102 clause 7.1.1.4); the two empty fields behind it are ours.
        self._files.contents.replace(self._parameters, bytes((len(rand),)) + rand + b"\x00\x00")
        return result.res if self._plain_res else flip_res(result.res)

    def derive_naf_keys(self, naf_id: bytes, impi: bytes) -> Secret:
        """Derive both NAF keys from Ks; keep Ks_int_NAF and return Ks_ext_NAF (32 bytes).

        A new key for the same NAF replaces the old one; with no slot free the one least recently used or derived goes
        (TS 31.102 clause 7.1.1.5). Raises `NoBootstrap`, `IdentifierTooLong`.
        """
        bootstrap = self._bootstrap.get("ks")
        if bootstrap is None:
            raise NoBootstrap
        self.keep(naf_id, self.b_tid(), derive_ks_int_naf(bootstrap.ks, bootstrap.rand, impi, naf_id))
        return derive_ks_ext_naf(bootstrap.ks, bootstrap.rand, impi, naf_id)

    def keep(self, naf_id: bytes, b_tid: bytes, key: Secret) -> None:
        """Keep the key (32 bytes) of a NAF, derived under this B-TID. Raises `IdentifierTooLong`."""
        record = StoredNafKey(self._slot_for(naf_id), naf_id, b_tid, key, self._next_serial())
        self._naf_list.require_room(encode_naf_entry(record))
        replaced = self._naf_keys.get(f"{record.slot:02X}")
        self._naf_keys.put(f"{record.slot:02X}", record)
        if replaced is not None and replaced.naf_id != naf_id:
            self.overwritten(replaced)

    @property
    def has_impi(self) -> bool:
        """True on an ISIM, whose NAF keys belong to its own IMPI."""
        return self._impi is not None

    def own_impi(self) -> bytes:
        """Return the IMPI that stands in EF_IMPI (TS 31.103 clause 4.2.2). Raises `NoImpi`."""
        if self._impi is None:
            raise NoImpi
        try:
            return decode_text_object(self._files.contents.whole(self._impi)).encode()
        except DecodeError:
            raise NoImpi from None

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

    def naf_key(self, naf_id: bytes) -> StoredNafKey | None:
        """Return the Ks_int_NAF last derived for a NAF, or None."""
        return next((key for key in self._naf_keys.values() if key.naf_id == naf_id), None)

    def touch(self, naf_id: bytes) -> None:
        """Note that the Ks_int_NAF of a NAF was used: it now gives way last (TS 31.102 clause 7.1.1.5)."""
        key = self.naf_key(naf_id)
        latest = self._next_serial() - 1
        if key is not None and key.serial != latest:
            self._naf_keys.put(f"{key.slot:02X}", replace(key, serial=latest + 1))

    def forget(self, naf_id: bytes, b_tid: bytes) -> None:
        """Drop the Ks_int_NAF of a NAF, and Ks if its B-TID is `b_tid` (MUK deletion, TS 31.102 clause 7.1.1.10)."""
        key = self.naf_key(naf_id)
        if key is not None:
            self._naf_keys.delete(f"{key.slot:02X}")
        if self._parameters is not None and self._bootstrap.get("ks") is not None and self.b_tid() == b_tid:
            self._bootstrap.delete("ks")
            self._files.contents.replace(self._parameters, b"")

    def _slot_for(self, naf_id: bytes) -> int:
        keys = list(self._naf_keys.values())
        same = next((key.slot for key in keys if key.naf_id == naf_id), None)
        if same is not None:
            return same
        taken = {key.slot for key in keys}
        free = next((slot for slot in range(1, self._naf_list.count + 1) if slot not in taken), None)
        if free is not None:
            return free
        return min(keys, key=lambda key: key.serial).slot if keys else 1

    def _next_serial(self) -> int:
        return 1 + max((key.serial for key in self._naf_keys.values()), default=0)

    def _naf_entry(self, slot: int) -> bytes:
        key = self._naf_keys.get(f"{slot:02X}")
        return b"" if key is None else encode_naf_entry(key)


def encode_naf_entry(key: StoredNafKey) -> bytes:
    """Return the content of an EF_GBANL record (TS 31.102 clause 4.2.83)."""
    return encode_tlv(0x80, key.naf_id) + encode_tlv(0x81, key.b_tid)
