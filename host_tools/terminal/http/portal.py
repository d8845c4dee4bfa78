"""A browser at a shop that knows the SRK: requests go on under HTTP digest, answers come back once rspauth is right.

Browsers speak no auth-int and know no SRK (seed 002, clause 5.4.7.2.9). So the terminal stands between: it takes what
one browser on this computer asks, and asks the BSM in its own name. Whoever reaches it acts for the subscriber, so it
lets in only who has shown the key, from no page but its own (`wire.visitors`), and only to the pages of the shop.
Every answer must show that the BSM knows the SRK, whatever its status: nothing else is put before a person who pays.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Protocol

from card.errors import CardError, DecodeError
from host_tools.apdu.response import StatusError
from host_tools.exchange.digest.headers import AuthenticationInfo
from host_tools.exchange.errors import TransportError
from host_tools.exchange.http import Headers, HttpRequest, HttpResponse, reason_of
from host_tools.exchange.names import SHOP_PATH
from host_tools.exchange.ports import Rng
from host_tools.exchange.procedures import Target
from host_tools.exchange.transport import Peer, Transport
from host_tools.links.base import LinkError
from host_tools.terminal.errors import TerminalError
from host_tools.terminal.http.dialogue import Dialogue, Heard, Verdict
from host_tools.terminal.http.session import UaSession
from host_tools.terminal.http.ua import ask_in_one_go
from host_tools.wire.visitors import Visitors, VisitRefusedError

_log = logging.getLogger(__name__)
LARGEST_FORM = 16_384
"""Octets of a form that is handed on; ours."""
_METHODS = ("GET", "POST")
_ORDERS = "POST"
_ASKED = ("Accept", "Accept-Language", "Content-Type")
_ANSWERED = ("Content-Type", "Content-Security-Policy", "Cache-Control", "Location", "X-Content-Type-Options",
             "Referrer-Policy")  # fmt: skip
_POLICY = "default-src 'none'; frame-ancestors 'none'"


class Orders(Protocol):
    """Who keeps the books of the terminal: what a browser orders goes past its client."""

    def begin(self) -> None:
        """Hear that an order will be handed on. Raises `TransportError` where that cannot be now."""

    def done(self) -> None:
        """Hear that it was, whatever the outcome."""


class NoOrders:
    """Keeps no books."""

    def begin(self) -> None:
        """Do nothing."""

    def done(self) -> None:
        """Do nothing."""


class Portal:
    """A server for one browser. `passed` counts requests that were handed on, `defects` what nobody expected."""

    def __init__(
        self,
        transport: Transport,
        fqdn: str,
        session: UaSession,
        rng: Rng,
        visitors: Visitors,
        orders: Orders | None = None,
    ) -> None:
        """Take the way to the BSM, its name, who the terminal is there, where cnonces come from, and who may come.

        `orders` hears of each form that is handed on.
        """
        self._transport = transport
        self._fqdn = fqdn
        self._session = session
        self._dialogue = Dialogue(fqdn, rng)
        self._visitors = visitors
        self._orders = orders or NoOrders()
        self.passed = 0
        self.defects = 0

    def handle(self, request: HttpRequest, peer: Peer) -> HttpResponse:
        """Answer the browser."""
        del peer
        try:
            self._visitors.check(request)
            return self._visitors.opened(request) or self._answer(request)
        except VisitRefusedError as error:
            return _words(error.status, f"Refused: {error}.")
        except (DecodeError, ValueError):
            return _words(HTTPStatus.BAD_REQUEST, "The request cannot be read.")
        except TransportError as error:
            return _words(HTTPStatus.BAD_GATEWAY, f"The shop is not reached: {error}.")
        except (TerminalError, StatusError, LinkError, CardError) as error:
            return _words(HTTPStatus.BAD_GATEWAY, f"The terminal cannot show who it is: {error}")
        except Exception as error:  # whoever asks must not be able to end the portal
            self.defects += 1
            _log.error("the portal met an unexpected %s", type(error).__name__)
            return _words(HTTPStatus.SERVICE_UNAVAILABLE, "The portal met an error of its own.")

    def _answer(self, request: HttpRequest) -> HttpResponse:
        if not self._visitors.is_known(request):
            words = "Open the address that `terminal portal` printed: it holds a key that opens once."
            return _words(HTTPStatus.FORBIDDEN, words)
        if request.method not in _METHODS:
            return _words(HTTPStatus.METHOD_NOT_ALLOWED, "", (("Allow", ", ".join(_METHODS)),))
        target = Target.parse(request.target)
        if target.path == "/":
            return _words(HTTPStatus.SEE_OTHER, "", (("Location", SHOP_PATH),))
        if target.host or not is_shop(target.path):
            return _words(HTTPStatus.NOT_FOUND, "The portal leads to the pages of the shop only.")
        if len(request.body) > LARGEST_FORM:
            return _words(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "")
        asked = HttpRequest(request.method, request.target, self._headers(request), request.body)
        if asked.method != _ORDERS:
            verdict = self._ask(asked)
        else:
            self._orders.begin()
            try:
                verdict = self._ask(asked)
            finally:
                self._orders.done()
        self.passed += 1
        return _handed_back(verdict)

    def _headers(self, request: HttpRequest) -> Headers:
        kept = ((name, value) for name in _ASKED for value in request.all(name)[:1])
        return (("Host", self._fqdn), ("User-Agent", self._session.agent), *kept)

    def _ask(self, request: HttpRequest) -> Verdict:
        """Ask the BSM, with a new nonce or a new B-TID where it wants one, and return what it says in the end."""
        return ask_in_one_go(request, self._transport, self._dialogue, self._session)


def is_shop(path: str) -> bool:
    """Tell whether a path is one of the shop's, however it is spelled on the way there."""
    return path == SHOP_PATH.rstrip("/") or (path.startswith(SHOP_PATH) and ".." not in path and "%" not in path)


def _handed_back(verdict: Verdict) -> HttpResponse:
    """Return what the browser gets of an answer: no header but those of a page, and nothing that is not signed."""
    response = verdict.response
    if verdict.heard in (Heard.STALE, Heard.NOT_KNOWN, Heard.NOT_ADMITTED, Heard.NOT_AUTHENTIC):
        return _words(HTTPStatus.BAD_GATEWAY, f"The answer of the shop is not taken: {verdict.words}.")
    if not _is_signed(response):
        words = f"The shop answers with status {response.status} and does not show that it knows the SRK."
        return _words(HTTPStatus.BAD_GATEWAY, words)
    headers = [(name, value) for name in _ANSWERED for value in response.all(name)[:1]]
    for name, value in headers:
        if name == "Location" and not (is_shop(value.partition("?")[0]) and value.isprintable()):
            return _words(HTTPStatus.BAD_GATEWAY, "The shop leads to a page that is none of the shop.")
    if not response.all("Content-Security-Policy"):
        headers.append(("Content-Security-Policy", _POLICY))
    return HttpResponse(response.status, tuple(headers), response.body)


def _is_signed(response: HttpResponse) -> bool:
    """Tell whether an answer has an rspauth; that it is right was checked."""
    return any(AuthenticationInfo.parse(value).rspauth is not None for value in response.all("Authentication-Info"))


def _words(status: HTTPStatus, words: str, headers: Headers = ()) -> HttpResponse:
    told = (("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store"),
            ("Content-Security-Policy", _POLICY))  # fmt: skip
    return HttpResponse(status, (*told, *headers), f"{words or reason_of(status)}\n".encode())
