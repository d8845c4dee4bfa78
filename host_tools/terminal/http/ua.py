"""A terminal asks its BSM: HTTP digest with SRK, and what to do about a 401 (TS 24.109 clause 5.2, TS 33.246 6.2.1.3).

A request goes out with credentials where a nonce is known, else without. A 401 with stale=true is answered with the
new nonce and the same keys, twice at most. Any other 401 to credentials means that the BSM wants a new B-TID: the
terminal bootstraps once and asks again, and then gives up. A challenge in a foreign realm is not answered.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TypeVar

from card.errors import DecodeError
from host_tools.exchange.digest.client import DigestClient, choose
from host_tools.exchange.digest.compute import Asked, Qop
from host_tools.exchange.digest.headers import Challenge, Credentials
from host_tools.exchange.errors import ServerNotAuthenticError
from host_tools.exchange.http import Headers, HttpResponse
from host_tools.exchange.messages.msk import MskAnswer, MskCode, MskName, MskRequest
from host_tools.exchange.messages.registration import Deregistration, Registration, RegistrationAnswer, ServiceCode
from host_tools.exchange.ports import Rng
from host_tools.exchange.procedures import DEREGISTRATION, MSK_REQUEST, REGISTRATION, Procedure
from host_tools.exchange.status import DEFAULT_RETRY_SECONDS, Reaction, is_used, reaction_to
from host_tools.exchange.transport import Transport
from host_tools.terminal.http.errors import AnswerRefusedError, NotAdmittedError, ServerRefusedError
from host_tools.terminal.http.session import UaIdentity, UaSession

_log = logging.getLogger(__name__)
_MOST_STALE = 2
_SECONDS = re.compile(r"[0-9]{1,6}")
_Answer = TypeVar("_Answer")


@dataclass(slots=True)
class _Tries:
    """What one request may still do about a 401."""

    stale: int = _MOST_STALE
    renewals: int = 1


class UaClient:
    """One BSM, one request at a time."""

    def __init__(self, transport: Transport, fqdn: str, session: UaSession, rng: Rng, base: str = "") -> None:
        """Take the way to the BSM, its name, who the terminal is there, and where cnonces come from.

        `base` is the path of the BSM's address in front of that of a procedure.
        """
        self._transport = transport
        self._fqdn = fqdn
        self._session = session
        self._rng = rng
        self._base = base
        self._identity: UaIdentity | None = None
        self._digest: DigestClient | None = None

    def register(self, service_ids: Iterable[str]) -> tuple[ServiceCode, ...]:
        """Register for these services, in place of those before; return the code of each. Raises as `ask`."""
        body = Registration(tuple(service_ids)).encode()
        return _read(RegistrationAnswer.decode, REGISTRATION, self.ask(REGISTRATION, body)).codes

    def deregister(self, service_ids: Iterable[str]) -> tuple[ServiceCode, ...]:
        """Leave these services; return the code of each. Raises as `ask`."""
        body = Deregistration(tuple(service_ids)).encode()
        return _read(RegistrationAnswer.decode, DEREGISTRATION, self.ask(DEREGISTRATION, body)).codes

    def request_keys(self, names: Iterable[MskName]) -> tuple[MskCode, ...]:
        """Ask for these keys, which come as datagrams; return the code of each. Raises as `ask`."""
        body = MskRequest(tuple(names)).encode()
        return _read(MskAnswer.decode, MSK_REQUEST, self.ask(MSK_REQUEST, body)).codes

    def ask(self, procedure: Procedure, body: bytes) -> HttpResponse:
        """Send a request and return the answer, whose status is one of success.

        Raises `ServerRefusedError`, `NotAdmittedError`, `AnswerRefusedError`, and what the session and the transport
        raise.
        """
        tries = _Tries()
        while True:
            sent, response = self._send(procedure, body)
            if response.status == HTTPStatus.UNAUTHORIZED:
                self._take_challenge(response, sent, tries)
                continue
            if sent is not None:
                self._check(sent, response)
            elif 200 <= response.status <= 299:
                raise AnswerRefusedError("The BSM answers without having authenticated the terminal.")
            _require_success(procedure, response)
            return response

    def _send(self, procedure: Procedure, body: bytes) -> tuple[Credentials | None, HttpResponse]:
        """Send the request once, with credentials where a nonce is known; return those and the answer."""
        digest = self._current_digest()
        headers: Headers = (("User-Agent", self._session.agent),)
        request = procedure.build(self._fqdn, body, headers, self._base)
        if not digest.can_answer:
            return None, self._transport.exchange(request)
        sent = digest.authorise(Asked(request.method, request.target, body))
        shown = replace(request, headers=(*request.headers, ("Authorization", sent.header_value())))
        return sent, self._transport.exchange(shown)

    def _current_digest(self) -> DigestClient:
        """Return the client's side of the digest, a new one where the identity has changed in a bootstrapping."""
        identity = self._session.current()
        if self._digest is None or identity != self._identity:
            return self._begin(identity)
        return self._digest

    def _begin(self, identity: UaIdentity) -> DigestClient:
        self._identity = identity
        self._digest = DigestClient(identity.username, identity.passwords, self._rng)
        return self._digest

    def _take_challenge(self, response: HttpResponse, sent: Credentials | None, tries: _Tries) -> None:
        """Take the challenge of a 401, after what it calls for. Raises `NotAdmittedError`."""
        assert self._identity is not None, "a request was sent, so the session was asked"
        challenge, realm = self._read_challenge(response, self._identity.realm)
        if sent is not None and challenge.stale:
            tries.stale -= 1
            if tries.stale < 0:
                raise NotAdmittedError("The BSM finds one nonce after the other stale.")
        elif sent is not None:
            tries.renewals -= 1
            if tries.renewals < 0:
                raise NotAdmittedError("The BSM refuses the credentials, also those of a new bootstrapping.")
            self._begin(self._session.renew())
        assert self._digest is not None, "it is made together with the identity"
        self._digest.challenged(challenge, realm)

    def _read_challenge(self, response: HttpResponse, realm: str) -> tuple[Challenge, str]:
        """Return the challenge to answer, and the realm. Raises `NotAdmittedError` for none in the realm of this BSM.

        The FQDN in the realm is that of the server asked (TS 24.109 clause 5.2); the body must be protected
        (TS 33.246 clause 6.2.1.3).
        """
        try:
            found = choose(Challenge.parse_all(response.all("WWW-Authenticate")), (realm,))
        except DecodeError as error:
            raise AnswerRefusedError(f"The BSM's challenge is malformed: {error}.") from None
        if found is None or found[0].qop is not Qop.AUTH_INT:
            raise NotAdmittedError(f"The BSM offers no digest with integrity protection in the realm {realm}.")
        return found

    def _check(self, sent: Credentials, response: HttpResponse) -> None:
        """Check that the BSM knows the SRK. It may leave that out, which is logged; a wrong word voids the answer."""
        assert self._digest is not None, "the credentials are of this client"
        try:
            if not self._digest.check(sent, response.all("Authentication-Info"), response.body):
                _log.warning("the answer of %s does not show that it knows the SRK", self._fqdn)
        except ServerNotAuthenticError as error:
            raise AnswerRefusedError(f"The BSM's answer is not taken: {error}.") from None


def _read(decode: Callable[[bytes], _Answer], procedure: Procedure, response: HttpResponse) -> _Answer:
    """Read the body of an answer. Raises `AnswerRefusedError`."""
    try:
        return decode(procedure.require_answer(response))
    except DecodeError as error:
        raise AnswerRefusedError(f"The BSM's answer is malformed: {error}.") from None


def _require_success(procedure: Procedure, response: HttpResponse) -> None:
    reaction = reaction_to(response.status)
    if reaction is Reaction.READ_ITEMS:
        return
    if not is_used(response.status):
        _log.info("status %s is none that MBMS uses", response.status)
    wait = None
    if reaction is Reaction.WAIT:
        said = response.all("Retry-After")
        wait = int(said[0]) if said and _SECONDS.fullmatch(said[0]) else DEFAULT_RETRY_SECONDS
    raise ServerRefusedError(procedure.name, response.status, reaction, wait)
