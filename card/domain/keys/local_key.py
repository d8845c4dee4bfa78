"""Local keys between card and terminal, from GBA (TS 33.110 clause 4.5.2, TS 31.102 clauses 7.1.1.11 and 7.1.1.12).

A terminal gets Ks_local from its network and shows by a MAC that it has it; the card derives the same key from
Ks_int_NAF and keeps it. Keys are told apart by their whole identifier, RANDx included, so several of one pair of
applications live side by side. How the Counter Limit is read stands in TS 102 484; here it is the number of uses, and
a use is a channel that starts under the key (provisional).
"""

from __future__ import annotations

from dataclasses import replace

from card.codec.local_key import AvailabilityCheck, KeyDerivation, KeyIdentifier, LocalKeyRequest
from card.crypto.local_key import PLATFORM, LocalKeyInputs, derive_ks_local, request_mac, response_mac
from card.crypto.primitives import equal_bytes, sha256
from card.crypto.secret import Secret
from card.domain.authentication.gba import Gba
from card.domain.errors import KeyNotFound
from card.errors import CardError, MacMismatch
from card.lean import lean_dataclass
from card.spec.provisional import CAPACITY
from card.state.nonvolatile import NonVolatile
from card.state.stored import StoredTable


class LocalKeyUsedUp(CardError):
    """The key was used as often as its Counter Limit allows."""


class LocalKeyRefused(CardError):
    """The card's policy has no local key for this terminal or this pair of applications."""


@lean_dataclass(frozen=True, slots=True)
class LocalKeyPolicy:
    """Whom the card derives local keys for (TS 33.110 clause 4.4.4): everybody, where a set is empty.

    `terminals` are Terminal_IDs, `applications` Terminal_appli_IDs; the pair of the two platforms is always allowed.
    """

    terminals: frozenset[bytes] = frozenset()
    applications: frozenset[bytes] = frozenset()

    def check(self, identifier: KeyIdentifier, aid: bytes) -> None:
        """Raise `LocalKeyRefused` unless terminal and pair may have a key; `aid` is that of the current application.

        `platform` stands for both applications or for neither: a key between a platform and an application is not
        described anywhere.
        """
        pair = (identifier.terminal_appli_id, identifier.uicc_appli_id)
        is_known = not self.applications or identifier.terminal_appli_id in self.applications
        is_pair = pair == (PLATFORM, PLATFORM) or (pair[0] != PLATFORM and pair[1] == aid and is_known)
        if not is_pair or (self.terminals and identifier.terminal_id not in self.terminals):
            raise LocalKeyRefused


ANYBODY = LocalKeyPolicy()


@lean_dataclass(frozen=True, slots=True)
class StoredLocalKey:
    """A Ks_local: its identifier, the key (32 bytes), how often it may be and was used (128 bits each), and its age.

    `derived` and `recent` grow: the key derived last has the highest `derived`, the one derived or used last the
    highest `recent`.
    """

    naf_id: bytes
    terminal_id: bytes
    terminal_appli_id: bytes
    uicc_appli_id: bytes
    randx: bytes
    key: Secret
    limit: int
    used: int
    derived: int
    recent: int

    @property
    def identifier(self) -> KeyIdentifier:
        """The name under which a terminal asks for it."""
        return KeyIdentifier(self.naf_id, self.terminal_id, self.terminal_appli_id, self.uicc_appli_id, self.randx)

    @property
    def uses_left(self) -> int:
        """How many uses the Counter Limit still allows."""
        return max(0, self.limit - self.used)


class LocalKeys:
    """The local keys of one application of the card, whose AID is `aid`."""

    def __init__(
        self, nv: NonVolatile, application: str, gba: Gba, iccid: bytes, aid: bytes, policy: LocalKeyPolicy = ANYBODY
    ) -> None:
        self._gba = gba
        self._iccid = iccid
        self._aid = aid
        self._policy = policy
        self._keys = StoredTable(nv, f"ks-local/{application}/", StoredLocalKey)

    def answer(self, request: LocalKeyRequest) -> bytes:
        """Carry out a request; return the response MAC, or nothing for an availability check."""
        match request:
            case KeyDerivation():
                return self.derive(request)
            case AvailabilityCheck(identifier):
                self.require_valid(identifier)
        return b""

    def derive(self, request: KeyDerivation) -> bytes:
        """Derive and keep a key; return the response MAC (16 bytes).

        A key that is kept already stays with the uses it has had: otherwise a repeated command would undo the Counter
        Limit (a deviation on purpose, clause 7.1.1.11 stores without asking). Raises `KeyNotFound` (no Ks_int_NAF for
        this NAF), `LocalKeyRefused`, `MacMismatch`, in this order.
        """
        identifier = request.identifier
        naf_key = self._gba.naf_key(identifier.naf_id)
        if naf_key is None:
            raise KeyNotFound
        self._policy.check(identifier, self._aid)
        inputs = self._inputs(identifier, naf_key.b_tid, request.counter_limit)
        key = derive_ks_local(naf_key.key, inputs)
        if not equal_bytes(request_mac(key, inputs), request.mac):
            raise MacMismatch("the request MAC of the local key is wrong")
        self._gba.touch(identifier.naf_id)
        self._store(identifier, key, request.counter_limit)
        return response_mac(key)

    def require_valid(self, identifier: KeyIdentifier) -> None:
        """Raise `KeyNotFound` unless the card keeps this key and it may still be used (TS 31.102 clause 7.1.1.12)."""
        record = self._keys.get(_name(identifier))
        if record is None or not record.uses_left:
            raise KeyNotFound

    def find(self, terminal_id: bytes, terminal_appli_id: bytes, uicc_appli_id: bytes) -> StoredLocalKey | None:
        """Return the usable key that a pair of applications derived last, or that of the two platforms, or None."""
        for pair in ((terminal_appli_id, uicc_appli_id), (PLATFORM, PLATFORM)):
            wanted = (terminal_id, *pair)
            fitting = [
                record
                for record in self._keys.values()
                if (record.terminal_id, record.terminal_appli_id, record.uicc_appli_id) == wanted and record.uses_left
            ]
            if fitting:
                return max(fitting, key=lambda record: record.derived)
        return None

    def count_use(self, identifier: KeyIdentifier, key: Secret) -> int:
        """Take one use off a key that is kept; return how many are left, 0 or more.

        Raises `KeyNotFound` when it gave way to another one meanwhile, `LocalKeyUsedUp`.
        """
        record = self._keys.get(_name(identifier))
        if record is None or record.key != key:
            raise KeyNotFound
        if not record.uses_left:
            raise LocalKeyUsedUp
        record = replace(record, used=record.used + 1, recent=self._next("recent"))
        self._keys.put(_name(identifier), record)
        return record.uses_left

    def _inputs(self, identifier: KeyIdentifier, b_tid: bytes, limit: int) -> LocalKeyInputs:
        naf_id, terminal_id, terminal_appli_id, uicc_appli_id, randx = identifier.names
        return LocalKeyInputs(b_tid, naf_id, terminal_id, self._iccid, terminal_appli_id, uicc_appli_id, randx, limit)

    def _store(self, identifier: KeyIdentifier, key: Secret, limit: int) -> None:
        """Put a key first in the order of the keys; where there is no room, the last one in that order goes."""
        held, name = dict(self._keys.items()), _name(identifier)
        before = held.get(name)
        if before is None and len(held) >= CAPACITY["local_keys"].value:
            self._keys.delete(min(held, key=lambda other: held[other].recent))
        used = before.used if before is not None and before.key == key else 0
        ages = self._next("derived"), self._next("recent")
        self._keys.put(name, StoredLocalKey(*identifier.names, key, limit, used, *ages))

    def _next(self, age: str) -> int:
        return 1 + max((getattr(record, age) for record in self._keys.values()), default=0)


def _name(identifier: KeyIdentifier) -> str:
    """Name the record of a key after all parts of its identifier."""
    return sha256(b"".join(bytes((len(name),)) + name for name in identifier.names)).hex()[:32]
