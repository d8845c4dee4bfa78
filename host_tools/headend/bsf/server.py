"""The bootstrapping server function (TS 33.220 clauses 4.5.2, 5.3.2 and 5.3.3), and GBA push (TS 33.223).

One Ks at a time for each subscriber: a new run, and a push, end the one before (TS 33.220 clause 5.3.3, TS 33.223
clause 5.1.3). The subscriber of an old B-TID and of a new one is the same IMPI.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from card.crypto import gba
from card.crypto.gba_push import Gpi, derive_gpi_keys, seal_gpi
from card.crypto.primitives import equal_bytes
from card.crypto.secret import Secret
from card.errors import EncodeError
from card.spec.gba import UA_PROTOCOL_SIZE
from host_tools.exchange.messages.fields import from_date_time
from host_tools.exchange.ports import Rng
from host_tools.headend.bounded import BoundedTable
from host_tools.headend.bsf.answers import BootstrapResult, Challenge, NafKeys, Push
from host_tools.headend.bsf.bootstrappings import Bootstrapping, Bootstrappings
from host_tools.headend.clock import NetworkClock
from host_tools.headend.errors import (
    BootstrapUnknownError,
    HeadendError,
    IdentityUnknownError,
    NafNotAuthorisedError,
)
from host_tools.headend.subscribers.gba_settings import UiccType
from host_tools.headend.subscribers.ports import Subscribers
from host_tools.headend.subscribers.subscriber import AuthenticationVector, Subscriber

_RAND_SIZE = 16
PENDING_OF_A_SUBSCRIBER = 1024
"""More than somebody else's requests can push out while its owner answers one (`http.ub` limits them)."""
PENDING_OF_AN_ADDRESS = 512
"""Its share of all: one address that knows many names pushes out no challenge of another. Ours."""
PENDING_IN_ALL = 4096
_NO_SUCH_CHALLENGE = "no challenge with this RAND is waiting for an answer"
_DOWNLINK = b"naf"
_log = logging.getLogger(__name__)


class _Pending(NamedTuple):
    subscriber: Subscriber
    vector: AuthenticationVector
    expected: bytes


class Bsf:
    """Bootstraps subscribers and gives their NAF keys to the servers that ask by B-TID."""

    def __init__(
        self,
        name: str,
        subscribers: Subscribers,
        runs: Bootstrappings,
        rights: Mapping[str, frozenset[bytes]],
        rng: Rng,
        clock: NetworkClock,
    ) -> None:
        """Take the server's name (an FQDN), its subscribers, where their Ks go, where RANDs come from, and the time.

        `rights` names each server that may ask for keys, and the FQDNs it may use towards terminals.
        """
        self._name = name
        self._subscribers = subscribers
        self._runs = runs
        self._rights = rights
        self._rng = rng
        self._clock = clock
        self._pending: BoundedTable[bytes, _Pending] = BoundedTable(PENDING_OF_A_SUBSCRIBER, PENDING_IN_ALL)
        self._asked_from: BoundedTable[bytes, None] = BoundedTable(PENDING_OF_AN_ADDRESS, PENDING_IN_ALL)
        self._pushed: BoundedTable[bytes, Subscriber] = BoundedTable(PENDING_OF_A_SUBSCRIBER, PENDING_IN_ALL)

    def require_known(self, identity: str) -> None:
        """Do nothing for an IMPI or a TMPI of a subscriber. Raises `IdentityUnknownError`."""
        self._find(identity)

    def challenge(self, identity: str, address: str | None = None) -> Challenge:
        """Return a fresh challenge for an IMPI or a TMPI; the oldest for the same address may give way to it.

        Without an address, as in this process, none has a share. Raises `IdentityUnknownError`.
        """
        subscriber = self._find(identity)
        vector = subscriber.vector(self._rng.random_bytes(_RAND_SIZE))
        expected = gba.flip_res(vector.xres) if subscriber.settings.flips_res else vector.xres
        self._pending.put(subscriber.impi, vector.rand, _Pending(subscriber, vector, expected))
        if address is not None:
            mine = self._asked_from.of(address)
            if len(mine) >= PENDING_OF_AN_ADDRESS:
                self._pending.pop(mine[0])
            self._asked_from.put(address, vector.rand, None)
        return Challenge(vector.rand, _autn(subscriber, vector))

    def expected_res(self, rand: bytes) -> Secret:
        """Return the RES that the challenge with this RAND waits for, as an HTTP digest is made with it.

        Raises `HeadendError` when there is no such challenge.
        """
        pending = self._pending.get(rand)
        if pending is None:
            raise HeadendError(_NO_SUCH_CHALLENGE)
        return Secret(pending.expected)

    def complete(self, rand: bytes, res: bytes) -> BootstrapResult:
        """Check RES for the challenge with this RAND; each challenge can be answered once.

        In GBA_U the last bit of RES is flipped (TS 33.220 clause 5.3.2). The Ks of an earlier run is gone then.
        Raises `HeadendError` when there is no such challenge or RES is wrong.
        """
        subscriber, vector, expected = self._take(rand)
        if not equal_bytes(res, expected):
            raise HeadendError(_why_wrong(subscriber, res, expected))
        b_tid = gba.b_tid(rand, self._name.encode()).decode()
        created = self._clock.now()
        expires = created + subscriber.settings.lifetime
        ks = gba.derive_ks(vector.ck.reveal(), vector.ik.reveal())
        tmpi = gba.derive_tmpi(ks, rand, subscriber.impi.encode(), self._name.encode())
        self._subscribers.tie(b_tid, subscriber.impi)
        self._runs.replace(Bootstrapping(subscriber.impi, b_tid, rand, ks, created, expires), tmpi)
        return BootstrapResult(b_tid, from_date_time(expires))

    def presume_answered(self, rand: bytes) -> BootstrapResult:
        """Complete the challenge with this RAND as if the right RES had come.

        This is for LTKMs that are minted before the card is there.
        Raises `HeadendError` when there is no such challenge.
        """
        return self.complete(rand, self.expected_res(rand).reveal())

    def resynchronise(self, identity: str, rand: bytes, auts: bytes) -> None:
        """Take AUTS (14 bytes), the card's answer to the challenge or push with this RAND, for the next one.

        A server that pushed hands on what the terminal sent it (TS 33.223 clause 5.1.2); a RES answers no push.
        Raises `HeadendError` when there is no such challenge for this subscriber or AUTS is wrong.
        """
        subscriber = self._find(identity)
        if self._pushed.owner(rand) == subscriber.impi:
            self._pushed.pop(rand)
        elif self._pending.owner(rand) == subscriber.impi:
            self._take(rand)
        else:
            raise HeadendError(_NO_SUCH_CHALLENGE)
        subscriber.resynchronise(rand, auts)

    def naf_keys(self, naf: str, b_tid: str, naf_id: bytes, *, gba_u_aware: bool) -> NafKeys:
        """Return the keys behind a B-TID for the server named `naf` (TS 33.220 clause 5.3.3).

        `naf_id` is the FQDN the terminal used and the 5 bytes of the Ua protocol. Only a server that knows GBA_U gets
        Ks_int_NAF. Raises `NafNotAuthorisedError`, and `BootstrapUnknownError` when the B-TID is unknown or over.
        """
        self._authorise(naf, naf_id)
        subscriber = self._subscribers.by_b_tid(b_tid)
        run = self._runs.current(subscriber.impi)
        if run is None or run.b_tid != b_tid:
            raise BootstrapUnknownError(f"B-TID {b_tid} is not known here any more: bootstrap again")
        if self._clock.now() >= run.expires:
            self._runs.end(subscriber.impi)
            raise BootstrapUnknownError(f"the key of B-TID {b_tid} has expired: bootstrap again")
        with_uicc_key = gba_u_aware and subscriber.settings.uicc is UiccType.GBA_U
        return _derive(subscriber, run, naf_id, with_uicc_key=with_uicc_key)

    def push(self, naf: str, impi: str, naf_id: bytes, lifetime: timedelta, p_tid: str, app_label: str = "") -> Push:
        """Make a GPI message for a subscriber and the keys it sets up (TS 33.223 clause 5.1.3).

        An earlier Ks of the subscriber is gone then, and that of the push serves for nothing else. Raises
        `NafNotAuthorisedError`, `IdentityUnknownError`, and `HeadendError` when `lifetime` is longer than Ks may live
        or a text does not fit.
        """
        self._authorise(naf, naf_id)
        subscriber = self._subscribers.by_impi(impi)
        if lifetime > subscriber.settings.lifetime:
            raise HeadendError(f"a key may live {subscriber.settings.lifetime} at most, not {lifetime}")
        vector = subscriber.vector(self._rng.random_bytes(_RAND_SIZE))
        gba_u, created = subscriber.settings.uicc is UiccType.GBA_U, self._clock.now()
        ks = gba.derive_ks(vector.ck.reveal(), vector.ik.reveal())
        gpi = Gpi(gba_u, vector.rand, _autn(subscriber, vector), naf_id, created + lifetime, p_tid, app_label)
        try:
            message = seal_gpi(gpi, derive_gpi_keys(ks, vector.rand, impi.encode()))
        except EncodeError as error:
            raise HeadendError(f"no push can be made: {error}") from None
        self._runs.end(impi)
        self._pushed.put(impi, vector.rand, subscriber)
        downlink_id = gba.b_tid(vector.rand, _DOWNLINK).decode()
        pushed = Bootstrapping(impi, downlink_id, vector.rand, ks, created, created + lifetime)
        return Push(message, _derive(subscriber, pushed, naf_id, with_uicc_key=gba_u), downlink_id)

    def current(self, impi: str) -> tuple[str, datetime] | None:
        """Return the B-TID of a subscriber's last run and when it is over; None where there is none."""
        run = self._runs.current(impi)
        return None if run is None else (run.b_tid, run.expires)

    def _authorise(self, naf: str, naf_id: bytes) -> None:
        fqdn = naf_id[:-UA_PROTOCOL_SIZE]
        if fqdn not in self._rights.get(naf, ()):
            raise NafNotAuthorisedError(f"{naf} may not use the name {fqdn.decode(errors='replace')}")

    def _find(self, identity: str) -> Subscriber:
        """Return the subscriber with this IMPI or newest TMPI. Raises `IdentityUnknownError`."""
        try:
            return self._subscribers.by_impi(self._runs.impi_of(identity) or identity)
        except IdentityUnknownError:
            raise IdentityUnknownError(f"no subscriber has the IMPI or TMPI {identity}") from None

    def _take(self, rand: bytes) -> _Pending:
        pending = self._pending.pop(rand)
        self._asked_from.pop(rand)
        if pending is None:
            raise HeadendError(_NO_SUCH_CHALLENGE)
        return pending


def _derive(subscriber: Subscriber, run: Bootstrapping, naf_id: bytes, *, with_uicc_key: bool) -> NafKeys:
    inputs = run.ks, run.rand, subscriber.impi.encode(), naf_id
    uicc_key = gba.derive_ks_int_naf(*inputs) if with_uicc_key else None
    me_key = gba.derive_ks_ext_naf(*inputs)
    return NafKeys(subscriber.impi, me_key, uicc_key, run.expires, subscriber.settings.key_choice, run.created)


def _autn(subscriber: Subscriber, vector: AuthenticationVector) -> bytes:
    if subscriber.settings.uicc is UiccType.GBA:
        return vector.autn
    return gba.mask_autn(vector.autn, vector.ik.reveal())


def _why_wrong(subscriber: Subscriber, res: bytes, expected: bytes) -> str:
    if res and equal_bytes(gba.flip_res(res), expected):
        what = "RES not flipped" if subscriber.settings.flips_res else "RES flipped"
        _log.warning("%s: %s", subscriber.impi, what)
        return f"{what}: it is right but for its last bit, which GBA_U flips and nothing else (TS 33.220 5.3.2)"
    return "RES is wrong: the card does not hold this subscriber's key"
