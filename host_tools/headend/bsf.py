"""The bootstrapping server function of GBA_U (TS 33.220 clauses 4.5.2 and 5.3.2)."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from card.crypto import gba
from card.crypto.primitives import equal_bytes
from card.crypto.secret import Secret
from host_tools.headend.clock import NetworkClock
from host_tools.headend.errors import HeadendError
from host_tools.headend.seeded import SeededRng
from host_tools.headend.subscriber import AuthenticationVector, Subscriber

_RAND_SIZE = 16
_PENDING_KEPT = 64
_KEY_LIFETIME = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Challenge:
    """RAND and AUTN* (16 bytes each): AUTN* is AUTN with its MAC masked for GBA_U."""

    rand: bytes
    autn_star: bytes


@dataclass(frozen=True, slots=True)
class BootstrapResult:
    """B-TID, and when the key expires as XML dateTime text in UTC."""

    b_tid: str
    lifetime: str


class NafKeys(NamedTuple):
    """Ks_int_NAF, which the card keeps, and Ks_ext_NAF, which the terminal gets (32 bytes each)."""

    ks_int_naf: Secret
    ks_ext_naf: Secret


class _Pending(NamedTuple):
    subscriber: Subscriber
    vector: AuthenticationVector


class _Session(NamedTuple):
    impi: str
    rand: bytes
    ks: Secret
    expires: datetime


class Bsf:
    """Bootstraps subscribers and gives their NAF keys to the servers that ask by B-TID."""

    def __init__(self, name: str, subscriber: Subscriber, rng: SeededRng, clock: NetworkClock) -> None:
        """Take the server's name (an FQDN), its one subscriber, where RANDs come from, and the time."""
        self._name = name
        self._subscriber = subscriber
        self._rng = rng
        self._clock = clock
        self._pending: OrderedDict[bytes, _Pending] = OrderedDict()
        self._sessions: dict[str, _Session] = {}

    def challenge(self, impi: str) -> Challenge:
        """Return a fresh challenge. Raises `HeadendError` for an unknown IMPI."""
        subscriber = self._find(impi)
        vector = subscriber.vector(self._rng.random_bytes(_RAND_SIZE))
        self._pending[vector.rand] = _Pending(subscriber, vector)
        if len(self._pending) > _PENDING_KEPT:
            self._pending.popitem(last=False)
        return Challenge(vector.rand, gba.mask_autn(vector.autn, vector.ik.reveal()))

    def complete(self, rand: bytes, res: bytes) -> BootstrapResult:
        """Check RES for the challenge with this RAND; each challenge can be answered once.

        Raises `HeadendError` when there is no such challenge or RES is wrong.
        """
        subscriber, vector = self._take(rand)
        if not equal_bytes(res, vector.xres):
            raise HeadendError("RES is wrong: the card does not hold this subscriber's key")
        b_tid = gba.b_tid(rand, self._name.encode()).decode()
        expires = self._clock.now() + _KEY_LIFETIME
        ks = gba.derive_ks(vector.ck.reveal(), vector.ik.reveal())
        self._sessions[b_tid] = _Session(subscriber.impi, rand, ks, expires)
        return BootstrapResult(b_tid, expires.strftime("%Y-%m-%dT%H:%M:%SZ"))

    def presume_answered(self, rand: bytes) -> BootstrapResult:
        """Complete the challenge with this RAND as if the right RES had come.

        This is for LTKMs that are minted before the card is there.
        Raises `HeadendError` when there is no such challenge.
        """
        pending = self._pending.get(rand)
        return self.complete(rand, pending.vector.xres if pending else b"")

    def resynchronise(self, impi: str, rand: bytes, auts: bytes) -> None:
        """Take AUTS (14 bytes), the card's answer to the challenge with this RAND, for the next challenge.

        Raises `HeadendError` when there is no such challenge or AUTS is wrong.
        """
        subscriber = self._take(rand).subscriber
        if subscriber.impi != impi:
            raise HeadendError("AUTS answers a challenge that went to another subscriber")
        subscriber.resynchronise(rand, auts)

    def ks_naf_keys(self, b_tid: str, naf_id: bytes) -> NafKeys:
        """Return the keys of a NAF, whose ID is its FQDN and the 5-byte Ua security protocol identifier.

        Raises `HeadendError` when the B-TID is unknown or its key has expired.
        """
        session = self._sessions.get(b_tid)
        if session is None:
            raise HeadendError(f"B-TID {b_tid} is not known here: bootstrap first")
        if self._clock.now() >= session.expires:
            raise HeadendError(f"the key of B-TID {b_tid} has expired: bootstrap again")
        inputs = session.ks, session.rand, session.impi.encode(), naf_id
        return NafKeys(gba.derive_ks_int_naf(*inputs), gba.derive_ks_ext_naf(*inputs))

    def smk(self, b_tid: str, naf_id: bytes, rand: bytes = b"") -> Secret:
        """Return Ks_int_NAF, the same for every LTKM. Raises `HeadendError`."""
        del rand
        return self.ks_naf_keys(b_tid, naf_id).ks_int_naf

    def srk(self, b_tid: str, naf_id: bytes) -> Secret:
        """Return Ks_ext_NAF. Raises `HeadendError`."""
        return self.ks_naf_keys(b_tid, naf_id).ks_ext_naf

    def _find(self, impi: str) -> Subscriber:
        if impi != self._subscriber.impi:
            raise HeadendError(f"no subscriber has the IMPI {impi}")
        return self._subscriber

    def _take(self, rand: bytes) -> _Pending:
        pending = self._pending.pop(rand, None)
        if pending is None:
            raise HeadendError("no challenge with this RAND is waiting for an answer")
        return pending
