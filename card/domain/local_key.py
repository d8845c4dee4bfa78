"""Local keys between card and terminal, from GBA (TS 33.110 annex B, TS 31.102 clause 7.1).

A terminal gets Ks_local from its network and shows by a MAC that it has it; the card derives the same key from
Ks_int_NAF and keeps it. provisional: see `card/crypto/local_key.py` and `card/codec/local_key.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from card.codec.local_key import AvailabilityCheck, KeyDerivation, KeyIdentifier, LocalKeyRequest
from card.crypto.local_key import (
    PLATFORM,
    RANDX_SIZE,
    LocalKeyInputs,
    derive_ks_local,
    request_mac,
    response_mac,
)
from card.crypto.primitives import equal_bytes, sha256
from card.crypto.secret import Secret
from card.domain.errors import KeyNotFound
from card.domain.gba import Gba, NafKeyRecord
from card.errors import CardError, DecodeError, MacMismatch
from card.state.nonvolatile import NonVolatile
from card.state.records import RecordTable

MAX_KEYS = 8
MAX_DERIVATIONS = 64
"""Keys derived from one Ks_int_NAF: the card remembers every RANDx, so that none comes back with a fresh counter."""


class LocalKeyUsedUp(CardError):
    """The key was used as often as its Counter Limit allows."""


class DerivationsUsedUp(CardError):
    """So many keys came from this Ks_int_NAF that a new bootstrapping is due."""


@dataclass(frozen=True, slots=True)
class LocalKeyRecord:
    """A Ks_local: its identifier, the key (32 bytes), how often it may be and was used, and its age."""

    naf_id: bytes
    terminal_id: bytes
    terminal_appli_id: bytes
    uicc_appli_id: bytes
    randx: bytes
    key: Secret
    limit: int
    used: int
    serial: int

    @property
    def identifier(self) -> KeyIdentifier:
        """The name under which a terminal asks for it."""
        return KeyIdentifier(self.naf_id, self.terminal_id, self.terminal_appli_id, self.uicc_appli_id, self.randx)

    @property
    def usable(self) -> bool:
        """True while the Counter Limit is not reached."""
        return self.used < self.limit


@dataclass(frozen=True, slots=True)
class SeenRecord:
    """Every RANDx taken under one Ks_int_NAF, which the B-TID names."""

    b_tid: bytes
    randxs: bytes


class LocalKeys:
    """The local keys of one application. There is one for each pair of terminal and card application."""

    def __init__(self, nv: NonVolatile, application: str, gba: Gba, iccid: bytes, aid: bytes) -> None:
        self._gba = gba
        self._iccid = iccid
        self._aid = aid
        self._keys = RecordTable(nv, f"ks-local/{application}/", LocalKeyRecord)
        self._seen = RecordTable(nv, f"ks-local-randx/{application}/", SeenRecord)

    def answer(self, request: LocalKeyRequest) -> bytes:
        """Carry out a request; return the response MAC, or nothing for an availability check."""
        match request:
            case KeyDerivation():
                return self.derive(request)
            case AvailabilityCheck(identifier):
                self.require(identifier)
        return b""

    def derive(self, request: KeyDerivation) -> bytes:
        """Derive and keep a key; return the response MAC (16 bytes).

        Asking again for the key in place changes nothing, its use counter least of all. Raises `KeyNotFound` (no
        Ks_int_NAF for this NAF), `MacMismatch` (also for a RANDx that had its turn), `DecodeError`,
        `DerivationsUsedUp`.
        """
        identifier = request.identifier
        self._check_endpoint(identifier)
        naf_key = self._gba.naf_key(identifier.naf_id)
        if naf_key is None:
            raise KeyNotFound
        inputs = self._inputs(identifier, naf_key.b_tid, request.counter_limit)
        key = derive_ks_local(naf_key.key, inputs)
        if not equal_bytes(request_mac(key, inputs), request.mac):
            raise MacMismatch("the request MAC of the local key is wrong")
        held = self._keys.get(_name(identifier))
        if held is None or (held.identifier, held.key) != (identifier, key):
            self._remember_randx(naf_key, identifier.randx)
            self._store(identifier, key, request.counter_limit)
        return response_mac(key, inputs)

    def require(self, identifier: KeyIdentifier) -> LocalKeyRecord:
        """Return a usable key. Raises `KeyNotFound`, `LocalKeyUsedUp`."""
        record = self._keys.get(_name(identifier))
        if record is None or record.identifier != identifier:
            raise KeyNotFound
        if not record.usable:
            raise LocalKeyUsedUp
        return record

    def find(self, terminal_id: bytes, terminal_appli_id: bytes, uicc_appli_id: bytes) -> LocalKeyRecord | None:
        """Return the usable key of a pair of applications, or the one of the two platforms, or None."""
        for pair in ((terminal_appli_id, uicc_appli_id), (PLATFORM, PLATFORM)):
            record = self._keys.get(_name(KeyIdentifier(b"", terminal_id, *pair, b"")))
            if record is not None and record.usable:
                return record
        return None

    def count_use(self, identifier: KeyIdentifier) -> None:
        """Take one use off a key. Raises `KeyNotFound`, `LocalKeyUsedUp`."""
        record = self.require(identifier)
        self._keys.put(_name(identifier), replace(record, used=record.used + 1))

    def _check_endpoint(self, identifier: KeyIdentifier) -> None:
        pair = (identifier.terminal_appli_id == PLATFORM, identifier.uicc_appli_id == PLATFORM)
        if pair not in ((True, True), (False, False)) or (not any(pair) and identifier.uicc_appli_id != self._aid):
            raise DecodeError("local key: the UICC application is not the current one")

    def _inputs(self, identifier: KeyIdentifier, b_tid: bytes, limit: int) -> LocalKeyInputs:
        return LocalKeyInputs(
            b_tid,
            identifier.naf_id,
            identifier.terminal_id,
            self._iccid,
            identifier.terminal_appli_id,
            identifier.uicc_appli_id,
            identifier.randx,
            limit,
        )

    def _remember_randx(self, naf_key: NafKeyRecord, randx: bytes) -> None:
        name = f"{naf_key.slot:02X}"
        seen = self._seen.get(name)
        taken = seen.randxs if seen is not None and seen.b_tid == naf_key.b_tid + naf_key.naf_id else b""
        if any(taken[start : start + RANDX_SIZE] == randx for start in range(0, len(taken), RANDX_SIZE)):
            raise MacMismatch("the local key of this RANDx had its turn")
        if len(taken) >= MAX_DERIVATIONS * RANDX_SIZE:
            raise DerivationsUsedUp
        self._seen.put(name, SeenRecord(naf_key.b_tid + naf_key.naf_id, taken + randx))

    def _store(self, identifier: KeyIdentifier, key: Secret, limit: int) -> None:
        held = dict(self._keys.items())
        name = _name(identifier)
        if name not in held and len(held) >= MAX_KEYS:
            self._keys.delete(min(held, key=lambda other: held[other].serial))
        serial = 1 + max((record.serial for record in held.values()), default=0)
        names = (identifier.naf_id, identifier.terminal_id, identifier.terminal_appli_id, identifier.uicc_appli_id)
        self._keys.put(name, LocalKeyRecord(*names, identifier.randx, key, limit, 0, serial))


def _name(identifier: KeyIdentifier) -> str:
    """Name the record of a pair: terminal, terminal application, UICC application."""
    names = (identifier.terminal_id, identifier.terminal_appli_id, identifier.uicc_appli_id)
    return sha256(b"".join(bytes((len(name),)) + name for name in names)).hex()[:32]
