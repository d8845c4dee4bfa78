"""Service provisioning over HTTP: who has been authenticated buys, renews, leaves, asks (OMA BCAST, clause 5.4.7.2).

provisional: the path and the XML are ours (`exchange.procedures`), and so is the HTTP status of each status code
(`HTTP_STATUS_OF`). The body is the response message whatever the status, as far as the request could be read.

A request that changes something is answered under its requestID once: the same body again gets the stored answer, with
a header that says so, and another body under the same requestID is refused (for how long, `bsm.books` says). One that
failed is not stored: nothing was kept of it. LTKMs go out after the answer (`push`).
"""

from __future__ import annotations

from collections.abc import Collection
from hashlib import sha256
from http import HTTPStatus
from typing import Protocol

from card.errors import DecodeError
from host_tools.exchange.http import HttpRequest, HttpResponse, media_type
from host_tools.exchange.messages.pricing import PricingRequest
from host_tools.exchange.messages.provisioning import (
    HTTP_STATUS_OF,
    REPEATED_HEADER,
    ProvisioningStatus,
    request_id,
)
from host_tools.exchange.messages.tokens import AccountInquiry
from host_tools.exchange.procedures import SERVICE_REQUEST, Target
from host_tools.exchange.transport import Peer
from host_tools.exchange.xml_text import Node, parse_document
from host_tools.headend.bsm.books import Answered, Requests
from host_tools.headend.bsm.orders import Order
from host_tools.headend.bsm.provisioning.procedures import (
    READ_ONLY,
    REQUESTS,
    Buyer,
    Procedures,
    Request,
    read_request,
    refusal,
    refusal_to,
)
from host_tools.headend.bsm.provisioning.sales import Sales
from host_tools.headend.clock import NetworkClock
from host_tools.headend.errors import HeadendError
from host_tools.headend.http.answers import answer, failure
from host_tools.headend.http.ua import Caller

_ROOTS = tuple(kind.root for kind in REQUESTS)
_SPROV = SERVICE_REQUEST
"""Any of the procedures: they have path, method and media type in common."""


class Registry(Protocol):
    """Who keeps registrations and sends LTKMs."""

    def add(self, caller: Caller, service_ids: Collection[str], orders: Collection[Order], /) -> None:
        """Register a subscriber for further items, which it has the right to, and send it these LTKMs."""

    def leave(self, caller: Caller, service_ids: Collection[str], using: Collection[str], /) -> None:
        """Take items off a registration, and withdraw their keys but for those of services still in use."""

    def hear_taken(self, caller: Caller, request: HttpRequest, /) -> None:
        """Settle what is in doubt, where a request says what the terminal took. Raises `DecodeError`."""


class CertificateOwners(Protocol):
    """Who is behind a certificate that a terminal shows."""

    def owner(self, certificate: str, /) -> str | None:
        """Return the identity that has authenticated over connections with this certificate, None for nobody."""


class ProvisioningService:
    """Answers the requests of service provisioning."""

    def __init__(
        self, procedures: Procedures, sales: Sales, registry: Registry, requests: Requests, clock: NetworkClock
    ) -> None:
        """Take what answers, what sells, who registers and sends, where answers are kept, and the time."""
        self._procedures = procedures
        self._sales = sales
        self._registry = registry
        self._requests = requests
        self._clock = clock

    def serve(self, request: HttpRequest, target: Target, caller: Caller) -> HttpResponse:
        """Answer an authenticated request. Raises `DecodeError`, `HeadendError`."""
        wrong = _wrong(request, target)
        if wrong is not None:
            return wrong
        root = parse_document(request.body, *_ROOTS)
        self._registry.hear_taken(caller, request)
        try:
            asked = read_request(root)
        except DecodeError:
            malformed = _malformed(root)
            if malformed is None:
                raise
            return malformed
        try:
            return self._answer(asked, sha256(request.body).digest(), caller)
        except HeadendError:  # the books are full, or something that is sold cannot be made
            return _refused(asked, ProvisioningStatus.SERVICE_UNAVAILABLE)

    def serve_certified(
        self, request: HttpRequest, target: Target, peer: Peer, owners: CertificateOwners
    ) -> HttpResponse | None:
        """Answer one whom TLS alone has authenticated; None for a request that needs the digest.

        Prices are told to anybody with a certificate; an account to the terminal whose subscriber has shown the same
        certificate before under the digest (ours). Raises `DecodeError`.
        """
        if not target.ends_with(_SPROV) or _wrong(request, target) is not None or not request.body:
            return None
        root = parse_document(request.body, *_ROOTS)
        if root.name.lower() not in {kind.root.lower() for kind in READ_ONLY}:
            return None
        asked = read_request(root)
        if isinstance(asked, PricingRequest):
            return _answered(ProvisioningStatus.SUCCESS, self._procedures.prices(asked).body)
        identity = owners.owner(peer.certificate or "")
        if identity is None or not isinstance(asked, AccountInquiry):
            return None
        outcome = self._procedures.run(asked, Buyer(identity, "", peer.certificate))
        return _answered(outcome.status, outcome.body)

    def _answer(self, asked: Request, fingerprint: bytes, caller: Caller) -> HttpResponse:
        identity = caller.identity
        buyer = Buyer(identity, caller.username, caller.peer.certificate)
        if isinstance(asked, READ_ONLY):
            outcome = self._procedures.run(asked, buyer)
            return _answered(outcome.status, outcome.body)
        before = self._requests.find(identity, asked.request_id)
        if before is not None:
            if before.fingerprint != fingerprint:
                return _refused(asked, ProvisioningStatus.ALREADY_PROCESSED)
            return _answered(ProvisioningStatus.SUCCESS, before.answer, repeated=True)
        now = self._clock.now().timestamp()
        self._requests.make_room(identity, now)
        outcome = self._procedures.run(asked, buyer)
        if outcome.status is ProvisioningStatus.SUCCESS:
            if outcome.enrolled or outcome.orders:
                self._registry.add(caller, outcome.enrolled, outcome.orders)
            if outcome.left:
                self._registry.leave(caller, outcome.left, self._sales.services(identity))
            self._requests.keep(identity, asked.request_id, Answered(fingerprint, outcome.body, now))
        return _answered(outcome.status, outcome.body)


def _wrong(request: HttpRequest, target: Target) -> HttpResponse | None:
    """Return what is to be said about path, method or type; None when they are right. Raises `DecodeError`."""
    if not target.ends_with(_SPROV):
        return failure(HTTPStatus.NOT_FOUND)
    if request.method != _SPROV.method:
        return failure(HTTPStatus.METHOD_NOT_ALLOWED, headers=(("Allow", _SPROV.method),))
    if media_type(request.one("Content-Type")) != _SPROV.request:
        raise DecodeError(f"a request of service provisioning is of type {_SPROV.request}")
    return None


def _malformed(root: Node) -> HttpResponse | None:
    """Return the answer to a request that names itself and cannot be read; None when it does not even that."""
    kind = next(kind for kind in REQUESTS if kind.root.lower() == root.name.lower())
    try:
        name = request_id(root.attribute("requestID"))
    except DecodeError:
        return None
    status = ProvisioningStatus.MALFORMED_MESSAGE
    return _answered(status, refusal_to(kind.root, name, status))


def _refused(asked: Request, status: ProvisioningStatus) -> HttpResponse:
    return _answered(status, refusal(asked, status))


def _answered(status: ProvisioningStatus, body: bytes, *, repeated: bool = False) -> HttpResponse:
    headers = ((REPEATED_HEADER, "1"),) if repeated else ()
    return answer(HTTP_STATUS_OF[status], body, _SPROV.answer, headers)
