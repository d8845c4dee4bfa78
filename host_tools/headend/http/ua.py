"""Ua: the BSM as an HTTP server, which authenticates first and reads a body afterwards.

TS 24.109 clause 5.2 has the digest, TS 33.246 clause 6.2.1.3 what MBMS makes of it.
Credentials that are missing, wrong, or of a B-TID that nobody knows or whose time is over, all get 401 without stale:
the terminal then bootstraps. A nonce that is not good any more gets 401 with stale=true. One who may not have the keys
gets 403 and never 401, or it would bootstrap without end (TS 29.109). When nobody can tell it is 504.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from secrets import token_bytes
from typing import Protocol

from card.crypto.secret import Secret
from card.errors import DecodeError
from card.lean import lean_dataclass
from host_tools.exchange.digest.compute import Asked
from host_tools.exchange.digest.headers import Credentials
from host_tools.exchange.digest.server import DigestServer, Verdict, find_mistake
from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.names import PUSH_PORT_HEADER, find_push_port, gba_realm, knows_gba
from host_tools.exchange.procedures import Target
from host_tools.exchange.transport import Peer
from host_tools.headend.bsm.books import Route, Transaction, Transactions
from host_tools.headend.errors import HeadendError, NafNotAuthorisedError
from host_tools.headend.http.accounts import Account, Accounts, AccountUnknownError
from host_tools.headend.http.answers import KeptAnswer, failure
from host_tools.headend.http.guarded import GuardedServer
from host_tools.headend.http.rates import Rates

_log = logging.getLogger(__name__)
_NOBODY = Account("", Secret(token_bytes(32)))
"""Whoever is not known: nobody has this password, or made-up names would be counted as those of the living."""


@lean_dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the identity that stays, the user name of now (B-TID or NAI), and from where.

    `push_port` is the port it names for key messages, None for the real ones.
    """

    identity: str
    username: str
    peer: Peer
    push_port: int | None = None

    @property
    def registers(self) -> bool:
        """Whether such a terminal registers at all: (R-)UIM and CSIM, known by their NAI, do not."""
        return self.username != self.identity

    @property
    def route(self) -> Route:
        """Where pushes go that this request asks for."""
        return Route(self.peer.address, self.username, self.push_port)


class Service(Protocol):
    """What is behind the authentication. It may raise `DecodeError` and `HeadendError`."""

    def serve(self, request: HttpRequest, target: Target, caller: Caller, /) -> HttpResponse:
        """Return the answer to an authenticated request."""


class Certified(Protocol):
    """What may be asked over TLS with certificates on both sides and without the digest."""

    def admitted(self, identity: str, peer: Peer, /) -> None:
        """Hear that a subscriber has shown who it is, over this connection."""

    def serve(self, request: HttpRequest, peer: Peer, /) -> HttpResponse | None:
        """Answer a request without the digest; None for one that needs it. Raises `DecodeError`."""


class UaServer(GuardedServer):
    """Authenticates subscribers and hands their requests on.

    `replays` counts nonce counts that came twice, `limited` requests of those who ask too often.
    """

    reference_point = "Ua"

    def __init__(
        self,
        fqdn: str,
        digest: DigestServer,
        accounts: Mapping[str, Accounts],
        service: Service,
        transactions: Transactions,
        certified: Certified | None = None,
        rates: Rates | None = None,
    ) -> None:
        """Take its name, the digest, the accounts by realm, what answers the authenticated, and the transactions.

        The realms are `gba_realm(fqdn)` and, for subscribers without GBA, the name itself. `certified` answers what
        certificates on both sides suffice for. `rates` says how often one subscriber may ask, None for any number.
        """
        super().__init__()  # requests without credentials need no transaction
        self._fqdn = fqdn
        self._digest = digest
        self._accounts = accounts
        self._service = service
        self._each = transactions
        self._certified = certified
        self._rates = rates
        self.replays = 0
        self.limited = 0

    def _answer(self, request: HttpRequest, peer: Peer) -> HttpResponse:
        shown = request.one("Authorization")
        if shown is None or not Credentials.are_shown(shown):  # RFC 7235 clause 2.1: 401 for another scheme, too
            open_to_all = None if self._certified is None else self._certified.serve(request, peer)
            return open_to_all or self._demand(self._offered(request))
        credentials = Credentials.parse(shown)
        with self._each.transaction() as transaction:
            return self._judge(credentials, request, peer, transaction)

    def _judge(
        self, credentials: Credentials, request: HttpRequest, peer: Peer, transaction: Transaction
    ) -> HttpResponse:
        accounts = self._accounts.get(credentials.realm)
        if accounts is None:
            return failure(HTTPStatus.FORBIDDEN, "the realm is none of this server")
        self._require_uri(credentials.uri, request.target)
        asked = Asked(request.method, credentials.uri, request.body)
        try:
            account = accounts.find(credentials.username, credentials.nonce)
        except AccountUnknownError as error:
            _log.info("Ua: %s", error)
            self._digest.check(credentials, _NOBODY.password, asked)  # as much work as for a wrong password
            return self._demand(credentials.realm)
        except NafNotAuthorisedError as error:
            _log.info("Ua: %s", error)
            return failure(HTTPStatus.FORBIDDEN)
        except HeadendError as error:
            _log.warning("Ua: %s", error)
            return failure(HTTPStatus.GATEWAY_TIMEOUT)
        match self._digest.check(credentials, account.password, asked):
            case Verdict.RIGHT:
                self._each.hold(account.identity)
                accounts.admitted(credentials.username, credentials.nonce)
                if self._certified is not None:
                    self._certified.admitted(account.identity, peer)
                caller = Caller(
                    account.identity, credentials.username, peer, find_push_port(request.all(PUSH_PORT_HEADER))
                )
                return self._signed(request, caller, credentials, account, transaction)
            case Verdict.WRONG:
                self._log_mistake(credentials, account, asked)
                return self._demand(credentials.realm)
            case Verdict.REPLAYED:
                self.replays += 1
                return self._demand(credentials.realm, stale=True)
            case Verdict.STALE:
                return self._demand(credentials.realm, stale=True)

    def _signed(
        self,
        request: HttpRequest,
        caller: Caller,
        credentials: Credentials,
        account: Account,
        transaction: Transaction,
    ) -> HttpResponse:
        """Return what the service answers, with `Authentication-Info`, whatever its status.

        Where that is an error nothing of the request is kept, unless the answer is a `KeptAnswer`.
        """
        response = self._served(request, caller)
        if response.status >= HTTPStatus.BAD_REQUEST and not isinstance(response, KeptAnswer):
            transaction.void()
        info = self._digest.info(credentials, account.password, response.body).header_value()
        headers = (*response.headers, ("Authentication-Info", info))
        return HttpResponse(response.status, headers, response.body, response.reason)

    def _served(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        seconds = 0 if self._rates is None else self._rates.wait(caller.identity)
        if seconds:
            self.limited += 1
            return failure(HTTPStatus.SERVICE_UNAVAILABLE, "asked too often", (("Retry-After", str(seconds)),))
        try:
            return self._service.serve(request, Target.parse(request.target), caller)
        except DecodeError as error:
            return failure(HTTPStatus.BAD_REQUEST, str(error))
        except HeadendError as error:
            _log.info("Ua refused %s: %s", request.target, error)
            return failure(HTTPStatus.FORBIDDEN)
        except Exception as error:  # here and not in `handle`: this answer, too, is signed
            return self._at_fault(error)

    def _offered(self, request: HttpRequest) -> str | None:
        """Return the realm to offer: that of GBA to a terminal that says it knows it (TS 24.109 clause 5.2)."""
        agent = " ".join(request.all("User-Agent"))
        wanted = gba_realm(self._fqdn) if knows_gba(agent) else self._fqdn
        return wanted if wanted in self._accounts else None

    def _demand(self, realm: str | None, *, stale: bool = False) -> HttpResponse:
        """Return 401 with a fresh challenge; 403 where there is no realm to offer."""
        if realm is None:
            return failure(HTTPStatus.FORBIDDEN, "User-Agent names no way to authenticate that is known here")
        challenge = self._digest.challenge(realm, stale=stale).header_value()
        return failure(HTTPStatus.UNAUTHORIZED, headers=(("WWW-Authenticate", challenge),))

    def _require_uri(self, carried: str, target: str) -> None:
        """Check that the credentials are for this target. Raises `DecodeError`.

        The example of TS 33.246 clause H.2 has the FQDN before the path in the credentials and not in the request
        line; that, and a slash at the end of the path, may differ.
        """
        if carried == target:
            return
        ours, theirs = Target.parse(target), Target.parse(carried)
        path = theirs.path.removeprefix(f"/{self._fqdn}").rstrip("/")
        if (path, theirs.query) != (ours.path.rstrip("/"), ours.query):
            raise DecodeError("the uri of the credentials is not that of the request")
        _log.info("the uri of the credentials differs from the request line and is taken all the same")

    def _log_mistake(self, credentials: Credentials, account: Account, asked: Asked) -> None:
        if account.key is None:
            return
        mistake = find_mistake(credentials, account.password, account.key, asked)
        if mistake is not None:
            _log.info("wrong credentials: %s", mistake.value)
