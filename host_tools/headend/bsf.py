"""The bootstrapping server function (TS 33.220 clauses 4.5.2, 5.3.2 and 5.3.3), and GBA push (TS 33.223).

One Ks at a time for each subscriber: a new run, and a push, end the one before (TS 33.220 clause 5.3.3, TS 33.223
clause 5.1.3).
"""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from card.crypto import gba
from card.crypto.gba_push import Gpi, derive_gpi_keys, seal_gpi
from card.crypto.primitives import equal_bytes
from card.crypto.secret import Secret
from card.errors import EncodeError
from card.spec.gba import UA_PROTOCOL_SIZE
from host_tools.exchange.messages.zn import KeyChoice
from host_tools.headend.clock import NetworkClock
from host_tools.headend.errors import (
    BootstrapUnknownError,
    HeadendError,
    IdentityUnknownError,
    NafNotAuthorisedError,
)
from host_tools.headend.gba_settings import GbaSettings, UiccType
from host_tools.headend.seeded import SeededRng
from host_tools.headend.subscriber import AuthenticationVector, Subscriber

_RAND_SIZE = 16
_PENDING_KEPT = 64
_DOWNLINK = b"naf"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Challenge:
    """RAND and AUTN* (16 bytes each): in GBA_U the MAC of AUTN is masked, in GBA_ME it is AUTN as it was."""

    rand: bytes
    autn_star: bytes


@dataclass(frozen=True, slots=True)
class BootstrapResult:
    """B-TID, and when the key expires as XML dateTime text in UTC."""

    b_tid: str
    lifetime: str


@dataclass(frozen=True, slots=True)
class NafKeys:
    """What a server gets over Zn (TS 33.220 clause 4.5.3).

    `me_key` is Ks_ext_NAF, with GBA_ME Ks_NAF; `uicc_key` is Ks_int_NAF, which the card keeps, or None (32 bytes each).
    MBMS needs `impi`, to know whose the B-TID is (TS 33.246 clause 6.1). `created` is when the Ks was made.
    """

    impi: str
    me_key: Secret
    uicc_key: Secret | None
    expires: datetime
    key_choice: KeyChoice
    created: datetime


@dataclass(frozen=True, slots=True)
class Push:
    """What a server gets that wants to push: the message for the terminal, the keys it sets up, and their name.

    `downlink_id` names them in what the server sends, in the place of a B-TID: RAND in base64, "@naf" (TS 33.223 clause
    5.2.2; the base64 is our reading). In what the terminal sends, the P-TID does.
    """

    gpi: bytes
    keys: NafKeys
    downlink_id: str


class _Pending(NamedTuple):
    vector: AuthenticationVector
    expected: bytes


class _Session(NamedTuple):
    b_tid: str
    rand: bytes
    ks: Secret
    expires: datetime
    created: datetime


class Bsf:
    """Bootstraps subscribers and gives their NAF keys to the servers that ask by B-TID."""

    def __init__(
        self,
        name: str,
        subscriber: Subscriber,
        settings: GbaSettings,
        rights: Mapping[str, frozenset[bytes]],
        rng: SeededRng,
        clock: NetworkClock,
    ) -> None:
        """Take the server's name (an FQDN), its one subscriber, where RANDs come from, and the time.

        `rights` names each server that may ask for keys, and the FQDNs it may use towards terminals.
        """
        self._name = name
        self._subscriber = subscriber
        self._settings = settings
        self._rights = rights
        self._rng = rng
        self._clock = clock
        self._pending: OrderedDict[bytes, _Pending] = OrderedDict()
        self._pushed: deque[bytes] = deque(maxlen=_PENDING_KEPT)  # RANDs; nothing but AUTS can answer a push
        self._session: _Session | None = None
        self._tmpi = ""

    def challenge(self, identity: str) -> Challenge:
        """Return a fresh challenge for an IMPI or a TMPI. Raises `IdentityUnknownError`."""
        self._find(identity)
        vector = self._subscriber.vector(self._rng.random_bytes(_RAND_SIZE))
        expected = gba.flip_res(vector.xres) if self._settings.flips_res else vector.xres
        self._pending[vector.rand] = _Pending(vector, expected)
        if len(self._pending) > _PENDING_KEPT:
            self._pending.popitem(last=False)
        return Challenge(vector.rand, self._autn(vector))

    def complete(self, rand: bytes, res: bytes) -> BootstrapResult:
        """Check RES for the challenge with this RAND; each challenge can be answered once.

        In GBA_U the last bit of RES is flipped (TS 33.220 clause 5.3.2). The Ks of an earlier run is gone then.
        Raises `HeadendError` when there is no such challenge or RES is wrong.
        """
        vector, expected = self._take(rand)
        if not equal_bytes(res, expected):
            raise HeadendError(self._why_wrong(res, expected))
        b_tid = gba.b_tid(rand, self._name.encode()).decode()
        created = self._clock.now()
        expires = created + self._settings.lifetime
        ks = gba.derive_ks(vector.ck.reveal(), vector.ik.reveal())
        self._session = _Session(b_tid, rand, ks, expires, created)
        self._tmpi = gba.derive_tmpi(ks, rand, self._subscriber.impi.encode(), self._name.encode())
        return BootstrapResult(b_tid, expires.strftime("%Y-%m-%dT%H:%M:%SZ"))

    def expected_res(self, rand: bytes) -> Secret:
        """Return the RES that the challenge with this RAND waits for, as an HTTP digest is made with it.

        Raises `HeadendError` when there is no such challenge.
        """
        if rand not in self._pending:
            raise HeadendError("no challenge with this RAND is waiting for an answer")
        return Secret(self._pending[rand].expected)

    def presume_answered(self, rand: bytes) -> BootstrapResult:
        """Complete the challenge with this RAND as if the right RES had come.

        This is for LTKMs that are minted before the card is there.
        Raises `HeadendError` when there is no such challenge.
        """
        pending = self._pending.get(rand)
        return self.complete(rand, pending.expected if pending else b"")

    def resynchronise(self, identity: str, rand: bytes, auts: bytes) -> None:
        """Take AUTS (14 bytes), the card's answer to the challenge or push with this RAND, for the next one.

        A server that pushed hands on what the terminal sent it (TS 33.223 clause 5.1.2). Raises `HeadendError` when
        there is no such challenge or AUTS is wrong.
        """
        self._find(identity)
        if rand in self._pushed:
            self._pushed.remove(rand)
        else:
            self._take(rand)
        self._subscriber.resynchronise(rand, auts)

    def naf_keys(self, naf: str, b_tid: str, naf_id: bytes, *, gba_u_aware: bool) -> NafKeys:
        """Return the keys behind a B-TID for the server named `naf` (TS 33.220 clause 5.3.3).

        `naf_id` is the FQDN the terminal used and the 5 bytes of the Ua protocol. Only a server that knows GBA_U gets
        Ks_int_NAF. Raises `NafNotAuthorisedError`, and `BootstrapUnknownError` when the B-TID is unknown or over.
        """
        self._authorise(naf, naf_id)
        session = self._session
        if session is None or session.b_tid != b_tid:
            raise BootstrapUnknownError(f"B-TID {b_tid} is not known here: bootstrap first")
        if self._clock.now() >= session.expires:
            raise BootstrapUnknownError(f"the key of B-TID {b_tid} has expired: bootstrap again")
        with_uicc_key = gba_u_aware and self._settings.uicc is UiccType.GBA_U
        times = session.created, session.expires
        return self._derive(session.ks, session.rand, naf_id, times, with_uicc_key=with_uicc_key)

    def push(self, naf: str, impi: str, naf_id: bytes, lifetime: timedelta, p_tid: str, app_label: str = "") -> Push:
        """Make a GPI message for a subscriber and the keys it sets up (TS 33.223 clause 5.1.3).

        An earlier Ks of the subscriber is gone then, and that of the push serves for nothing else. Raises
        `NafNotAuthorisedError`, `IdentityUnknownError`, and `HeadendError` when `lifetime` is longer than Ks may live
        or a text does not fit.
        """
        self._authorise(naf, naf_id)
        if impi != self._subscriber.impi:
            raise IdentityUnknownError(f"no subscriber has the IMPI {impi}")
        if lifetime > self._settings.lifetime:
            raise HeadendError(f"a key may live {self._settings.lifetime} at most, not {lifetime}")
        vector = self._subscriber.vector(self._rng.random_bytes(_RAND_SIZE))
        gba_u, created = self._settings.uicc is UiccType.GBA_U, self._clock.now()
        expires = created + lifetime
        ks = gba.derive_ks(vector.ck.reveal(), vector.ik.reveal())
        gpi = Gpi(gba_u, vector.rand, self._autn(vector), naf_id, expires, p_tid, app_label)
        try:
            message = seal_gpi(gpi, derive_gpi_keys(ks, vector.rand, impi.encode()))
        except EncodeError as error:
            raise HeadendError(f"no push can be made: {error}") from None
        self._session = None
        self._pushed.append(vector.rand)
        keys = self._derive(ks, vector.rand, naf_id, (created, expires), with_uicc_key=gba_u)
        return Push(message, keys, gba.b_tid(vector.rand, _DOWNLINK).decode())

    def _derive(
        self, ks: Secret, rand: bytes, naf_id: bytes, times: tuple[datetime, datetime], *, with_uicc_key: bool
    ) -> NafKeys:
        """Return the NAF keys of a Ks that was made at the first of `times` and is good until the second."""
        inputs = ks, rand, self._subscriber.impi.encode(), naf_id
        uicc_key = gba.derive_ks_int_naf(*inputs) if with_uicc_key else None
        me_key = gba.derive_ks_ext_naf(*inputs)
        created, expires = times
        return NafKeys(self._subscriber.impi, me_key, uicc_key, expires, self._settings.key_choice, created)

    def _autn(self, vector: AuthenticationVector) -> bytes:
        if self._settings.uicc is UiccType.GBA:
            return vector.autn
        return gba.mask_autn(vector.autn, vector.ik.reveal())

    def _why_wrong(self, res: bytes, expected: bytes) -> str:
        if res and equal_bytes(gba.flip_res(res), expected):
            what = "RES not flipped" if self._settings.flips_res else "RES flipped"
            _log.warning("%s: %s", self._subscriber.impi, what)
            return f"{what}: it is right but for its last bit, which GBA_U flips and nothing else (TS 33.220 5.3.2)"
        return "RES is wrong: the card does not hold this subscriber's key"

    def _authorise(self, naf: str, naf_id: bytes) -> None:
        fqdn = naf_id[:-UA_PROTOCOL_SIZE]
        if fqdn not in self._rights.get(naf, ()):
            raise NafNotAuthorisedError(f"{naf} may not use the name {fqdn.decode(errors='replace')}")

    def _find(self, identity: str) -> None:
        """Raise `IdentityUnknownError` unless this is the subscriber, by IMPI or by its newest TMPI."""
        if not identity or identity not in (self._subscriber.impi, self._tmpi):
            raise IdentityUnknownError(f"no subscriber has the IMPI or TMPI {identity}")

    def _take(self, rand: bytes) -> _Pending:
        pending = self._pending.pop(rand, None)
        if pending is None:
            raise HeadendError("no challenge with this RAND is waiting for an answer")
        return pending
