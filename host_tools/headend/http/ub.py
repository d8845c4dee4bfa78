"""Ub: the BSF as an HTTP server (TS 24.109 clause 4, TS 33.220 clauses 4.5.2 and 5.3.2).

A terminal names itself and is challenged with HTTP Digest AKA; the password is RES. Each challenge is answered once,
right or wrong. What the texts leave to the operator is chosen here: a wrong answer is challenged again, the third in a
row is refused with 403, and so is a name that nobody has.

Who asks for a challenge shows nothing yet, and anybody may know an IMPI. So challenges are limited by name and address
together: whoever asks too often holds up nobody at another address, and each address has a share of those that wait
for an answer, whatever names it knows. What many addresses can do to one name is limited, too, so that they cannot
carry its sequence number far away; the address from which its subscriber bootstrapped last is not counted there.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from datetime import UTC, timedelta
from http import HTTPStatus
from typing import NamedTuple

from card.crypto.gba import flip_res
from card.crypto.secret import Secret
from card.errors import DecodeError
from host_tools.exchange.digest.aka import NO_PASSWORD, AkaNonce
from host_tools.exchange.digest.compute import Algorithm, Asked, Qop, is_digest
from host_tools.exchange.digest.headers import Challenge, Credentials
from host_tools.exchange.digest.server import sign
from host_tools.exchange.http import Headers, HttpRequest, HttpResponse
from host_tools.exchange.messages.bootstrapping import BootstrappingInfo
from host_tools.exchange.names import TMPI_TOKEN
from host_tools.exchange.ports import Clock, Rng
from host_tools.exchange.procedures import BOOTSTRAPPING, Target
from host_tools.exchange.transport import Peer
from host_tools.headend.bounded import BoundedTable
from host_tools.headend.bsf.answers import BootstrapResult
from host_tools.headend.bsf.server import PENDING_IN_ALL, PENDING_OF_AN_ADDRESS, Bsf
from host_tools.headend.bsm.books import Transactions
from host_tools.headend.errors import HeadendError, IdentityUnknownError
from host_tools.headend.http.answers import answer, failure, http_date
from host_tools.headend.http.guarded import GuardedServer
from host_tools.headend.http.rates import Rates

_log = logging.getLogger(__name__)
MOST_CHALLENGES = 60
"""How many challenges one name gets from one address within `CHALLENGES_SPAN`; each costs a sequence number. Ours."""
MOST_OF_A_NAME = 600
"""How many it gets from all addresses but the one from which it bootstrapped last. Ours."""
CHALLENGES_SPAN = timedelta(seconds=60)
_MOST_WRONG = 3
_WRONG_KEPT = 1024
_KNOWN_KEPT = 100_000
_OPAQUE_SIZE = 8
_SERVER: Headers = (("Server", f"bcast-uicc {TMPI_TOKEN}"),)


class _Asker(NamedTuple):
    """Who asks: the name that is shown, and the address that it comes from."""

    username: str
    address: str

    @property
    def key(self) -> str:
        """Both as one text; an address holds no space."""
        return f"{self.address} {self.username}"


class _Open(NamedTuple):
    """A challenge that was sent: what must come back with its answer."""

    username: str
    nonce: str
    opaque: str


class UbServer(GuardedServer):
    """Bootstraps terminals. Its `Server` header always says that it knows the TMPI (TS 24.109 clause 4.2)."""

    reference_point = "Ub"
    every_answer = _SERVER

    def __init__(self, bsf: Bsf, name: str, rng: Rng, clock: Clock, transactions: Transactions | None = None) -> None:
        """Take the BSF and its name, which is the realm, where opaques come from, the time, and the transactions."""
        super().__init__(transactions)
        self._bsf = bsf
        self._name = name
        self._rng = rng
        self._clock = clock
        self._open: BoundedTable[bytes, _Open] = BoundedTable(PENDING_OF_AN_ADDRESS, PENDING_IN_ALL)
        self._wrong: OrderedDict[str, int] = OrderedDict()
        self._known: BoundedTable[str, str] = BoundedTable(1, _KNOWN_KEPT)
        self._rates = Rates(MOST_CHALLENGES, CHALLENGES_SPAN, clock)
        self._rates_in_all = Rates(MOST_OF_A_NAME, CHALLENGES_SPAN, clock)

    def _answer(self, request: HttpRequest, peer: Peer) -> HttpResponse:
        try:
            return self._bootstrap(request, peer)
        except HeadendError as error:
            _log.info("Ub refused: %s", error)
            return failure(HTTPStatus.FORBIDDEN, headers=_SERVER)

    def _bootstrap(self, request: HttpRequest, peer: Peer) -> HttpResponse:
        if request.method != BOOTSTRAPPING.method:
            return failure(HTTPStatus.METHOD_NOT_ALLOWED, headers=(("Allow", BOOTSTRAPPING.method), *_SERVER))
        if Target.parse(request.target).path != BOOTSTRAPPING.tail:
            return failure(HTTPStatus.NOT_FOUND, headers=_SERVER)
        shown = request.one("Authorization")
        if shown is None:
            raise DecodeError("Authorization is missing: it names who wants to bootstrap")
        credentials = Credentials.parse(shown)
        asker = _Asker(credentials.username, peer.address)
        if credentials.is_introduction:
            return self._challenge(asker)
        return self._judge(credentials, request, asker)

    def _challenge(self, asker: _Asker) -> HttpResponse:
        """Return 401 with a fresh vector, or 503 to one that has had too many. Raises `IdentityUnknownError`."""
        self._bsf.require_known(asker.username)  # names that anybody makes up must not be counted: they take memory
        seconds = self._rates.wait(asker.key)
        if not seconds and self._known.get(asker.username) != asker.address:
            seconds = self._rates_in_all.wait(asker.username)
        if seconds:
            _log.warning("Ub: too many challenges for one name")
            headers = (("Retry-After", str(seconds)), *_SERVER)
            return failure(HTTPStatus.SERVICE_UNAVAILABLE, "too many bootstrappings", headers)
        made = self._bsf.challenge(asker.username, asker.address)
        nonce = AkaNonce(made.rand, made.autn_star).text()
        opaque = self._rng.random_bytes(_OPAQUE_SIZE).hex()
        self._open.put(asker.address, made.rand, _Open(asker.username, nonce, opaque))
        challenge = Challenge(self._name, nonce, Algorithm.AKA_V1_MD5, (Qop.AUTH_INT,), opaque)
        header = (("WWW-Authenticate", challenge.header_value()),)
        return failure(HTTPStatus.UNAUTHORIZED, headers=(*header, *_SERVER))

    def _judge(self, credentials: Credentials, request: HttpRequest, asker: _Asker) -> HttpResponse:
        """Return the answer to one who answers a challenge."""
        rand = self._take(credentials)
        if rand is None:
            return self._challenge(asker)
        expected = self._bsf.expected_res(rand)
        if credentials.auts is not None:
            if not self._is_right(credentials, NO_PASSWORD, request):  # RFC 3310 clause 3.4
                return self._again(asker)
            self._bsf.resynchronise(credentials.username, rand, credentials.auts)
            return self._challenge(asker)
        try:
            result = self._bsf.complete(rand, self._res(credentials, expected, request))
        except IdentityUnknownError:
            raise
        except HeadendError as error:
            _log.info("Ub: %s", error)
            return self._again(asker)
        self._wrong.pop(asker.key, None)
        self._known.put(asker.username, asker.username, asker.address)
        return self._welcome(result, credentials, expected)

    def _take(self, credentials: Credentials) -> bytes | None:
        """Return the RAND of the challenge that is answered, which is closed then; None when there is none."""
        try:
            rand = AkaNonce.parse(credentials.nonce).rand
        except DecodeError:
            return None
        found = self._open.pop(rand)
        answered = _Open(credentials.username, credentials.nonce, credentials.opaque or "")
        return rand if found == answered and credentials.realm == self._name else None

    def _res(self, credentials: Credentials, expected: Secret, request: HttpRequest) -> bytes:
        """Return the RES that the digest was made with: the expected one, that with its last bit flipped, or none."""
        for res in (expected, Secret(flip_res(expected.reveal()))):
            if self._is_right(credentials, res, request):
                return res.reveal()
        return b""

    def _is_right(self, credentials: Credentials, password: Secret, request: HttpRequest) -> bool:
        if (credentials.algorithm, credentials.qop) != (Algorithm.AKA_V1_MD5, Qop.AUTH_INT):
            return False
        if Target.parse(credentials.uri).path != Target.parse(request.target).path:
            return False
        asked = Asked(request.method, credentials.uri, request.body)
        return is_digest(credentials.response, credentials.proof, password, asked)

    def _again(self, asker: _Asker) -> HttpResponse:
        """Challenge once more, unless this was the third wrong answer in a row."""
        wrong = self._wrong.pop(asker.key, 0) + 1
        if wrong >= _MOST_WRONG:
            raise HeadendError(f"{wrong} wrong answers in a row")
        self._wrong[asker.key] = wrong
        if len(self._wrong) > _WRONG_KEPT:
            self._wrong.popitem(last=False)
        return self._challenge(asker)

    def _welcome(self, result: BootstrapResult, credentials: Credentials, res: Secret) -> HttpResponse:
        """Return 200 with B-TID and lifetime, signed with RES."""
        info = BootstrappingInfo(result.b_tid, result.lifetime, self._clock.now())
        body = info.encode()
        headers: Headers = (
            ("Authentication-Info", sign(credentials, res, body).header_value()),
            ("Expires", http_date(info.expires.astimezone(UTC))),
            *_SERVER,
        )
        return answer(HTTPStatus.OK, body, BOOTSTRAPPING.answer, headers)
