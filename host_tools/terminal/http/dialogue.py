"""One terminal and one BSM over HTTP digest: requests as they go out, answers as they are meant (TS 24.109 clause 5.2).

A request goes out with credentials where a nonce is known, else without. What an answer means is one word out of
`Heard`; what is done about it, and how often, is for whoever asks: `ua` in one go, `terminal.client` by its table.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from enum import Enum
from http import HTTPStatus

from card.errors import DecodeError
from host_tools.exchange.digest.client import DigestClient, choose
from host_tools.exchange.digest.compute import Asked, Qop
from host_tools.exchange.digest.headers import Challenge, Credentials
from host_tools.exchange.errors import ServerNotAuthenticError
from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.names import CLIENT_ID_WANTED
from host_tools.exchange.ports import Rng
from host_tools.exchange.status import DEFAULT_RETRY_SECONDS, Reaction, is_used, reaction_to, retry_after
from host_tools.terminal.http.session import UaIdentity

_log = logging.getLogger(__name__)


class Heard(Enum):
    """What an answer of the BSM means. The value is what a person reads."""

    ACCEPTED = "it was processed"
    CHALLENGED = "credentials are wanted"
    STALE = "the nonce is stale"
    NOT_KNOWN = "the credentials are refused, so a new B-TID is wanted"
    NOT_ADMITTED = "the challenge is none that this terminal may answer"
    CLIENT_ID_WANTED = "the client ID is wanted"
    BUSY = "the server is busy"
    REFUSED = "it is refused"
    NOT_AUTHENTIC = "the answer is not taken"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer means, in words that name no secret, and when to ask again (seconds) where the server says so."""

    heard: Heard
    words: str
    response: HttpResponse
    retry_after: int | None = None


class Dialogue:
    """The digest with one BSM: one request at a time."""

    def __init__(self, fqdn: str, rng: Rng) -> None:
        """Take the name of the BSM, and where cnonces come from."""
        self._fqdn = fqdn
        self._rng = rng
        self._identity: UaIdentity | None = None
        self._digest: DigestClient | None = None
        self._sent: Credentials | None = None
        self._offered: tuple[Challenge, str] | None = None

    def identify(self, identity: UaIdentity) -> None:
        """Take who the terminal is. Another identity knows no nonce but that of a challenge that led to it."""
        if self._digest is not None and identity == self._identity:
            return
        self._digest = DigestClient(identity.username, identity.passwords, self._rng)
        if self._offered is not None and self._offered[1].lower() == identity.realm.lower():
            self._digest.challenged(*self._offered)
        self._identity, self._offered = identity, None

    def authorised(self, request: HttpRequest) -> HttpRequest:
        """Return the request as it goes out: with credentials where a nonce is known. `identify` comes before.

        Raises what the owner of the password raises.
        """
        assert self._digest is not None, "who asks has said who it is"
        self._sent = self._offered = None
        if not self._digest.can_answer:
            return request
        self._sent = self._digest.authorise(Asked(request.method, request.target, request.body))
        return replace(request, headers=(*request.headers, ("Authorization", self._sent.header_value())))

    def judge(self, response: HttpResponse) -> Verdict:
        """Return what the answer to the request that went out last means."""
        if response.status == HTTPStatus.UNAUTHORIZED:
            return self._challenged(response)
        shown = self._check(response)
        if shown is not None:
            return Verdict(Heard.NOT_AUTHENTIC, shown, response)
        match reaction_to(response.status):
            case Reaction.READ_ITEMS:
                return Verdict(Heard.ACCEPTED, Heard.ACCEPTED.value, response)
            case Reaction.WAIT:
                wait = retry_after(response)
                wait = DEFAULT_RETRY_SECONDS if wait is None else wait
                return Verdict(Heard.BUSY, f"status {response.status}; try again in {wait} s", response, wait)
        if response.status == HTTPStatus.FORBIDDEN and _wants_client_id(response):
            return Verdict(Heard.CLIENT_ID_WANTED, Heard.CLIENT_ID_WANTED.value, response)
        if not is_used(response.status):
            _log.info("status %s is none that MBMS uses", response.status)
        return Verdict(Heard.REFUSED, f"status {response.status}", response)

    def _challenged(self, response: HttpResponse) -> Verdict:
        """Take the challenge of a 401, so that the next request answers it."""
        assert self._identity is not None, "a request was sent, so the identity is known"
        assert self._digest is not None, "it is made together with the identity"
        realm = self._identity.realm
        try:
            found = choose(Challenge.parse_all(response.all("WWW-Authenticate")), (realm,))
        except DecodeError as error:
            return Verdict(Heard.NOT_AUTHENTIC, f"the challenge is malformed: {error}", response)
        if found is None or found[0].qop is not Qop.AUTH_INT:
            words = f"no digest with integrity protection is offered in the realm {realm}"
            return Verdict(Heard.NOT_ADMITTED, words, response)
        self._digest.challenged(*found)
        heard = Heard.CHALLENGED
        if self._sent is not None:
            heard = Heard.STALE if found[0].stale else Heard.NOT_KNOWN
        if heard is Heard.NOT_KNOWN:
            self._offered = found
        return Verdict(heard, heard.value, response)

    def _check(self, response: HttpResponse) -> str | None:
        """Return why an answer is not taken, None where nothing is against it.

        Success must be signed by somebody who knows the SRK. A refusal may go without; a wrong signature voids both.
        """
        succeeded = 200 <= response.status <= 299
        if self._sent is None:
            return "it was given without having authenticated the terminal" if succeeded else None
        assert self._digest is not None, "the credentials are of this client"
        try:
            signed = self._digest.check(self._sent, response.all("Authentication-Info"), response.body)
        except ServerNotAuthenticError as error:
            return str(error)
        if signed:
            return None
        _log.warning("the answer of %s does not show that it knows the SRK", self._fqdn)
        return "rspauth is missing: it does not show that the server knows the SRK" if succeeded else None


def _wants_client_id(response: HttpResponse) -> bool:
    """Tell whether the body asks for the client ID; the reason phrase does not count, as others rewrite it (ours)."""
    return response.body.strip() == CLIENT_ID_WANTED.encode()
