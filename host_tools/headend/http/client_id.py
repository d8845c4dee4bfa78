"""BCAST_Client_ID: the BSM asks which terminal registers (OMA BCAST, change request on SPCP, clause 6.9.2).

A terminal shows its client ID in the `User-Agent` of its Registration, within TLS with certificates on both sides; or
it is asked for it by 403 and the text `send_BCAST_Client_ID`, and answers with `GET /` and the client ID there.

Ours, as the text leaves it open: the GET is under the digest, too, and by its user belongs to the Registration that
waits, for a minute, also over a restart; that is then answered as if it had come now. A client ID that did not come
through TLS with a certificate counts as none. One that was accepted is not asked for again. What is refused gets 403,
and the response to the Registration with 403 for each item.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Protocol

from card.errors import DecodeError, EncodeError
from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.messages.registration import Registration, RegistrationAnswer, ServiceCode
from host_tools.exchange.names import CLIENT_ID_WANTED, TAKEN_HEADER, find_client_id
from host_tools.exchange.procedures import CLIENT_ID, REGISTRATION, Target
from host_tools.exchange.transport import Peer
from host_tools.headend.bsm.books import Records
from host_tools.headend.clock import NetworkClock
from host_tools.headend.errors import HeadendError
from host_tools.headend.http.answers import KeptAnswer, answer, failure, http_date
from host_tools.headend.http.ua import Caller, Service

PENDING_SECONDS = 60.0
"""How long a Registration waits for the client ID; ours."""
ASKING_REASON = "Not acceptable"
"""Behind the 403 that asks for a client ID (clause 6.9.2.3)."""
SERVER_NAME = "BCAST NAF Server"
"""What that answer has in its header `Server` (clause 6.9.2.3)."""
_KIND, _NAME, _WAITING = "client id", "id", "waiting"
_KEPT = ("content-type", TAKEN_HEADER.lower())
"""Headers by which a Registration is answered."""
_log = logging.getLogger(__name__)


class ClientIdRule(Protocol):
    """Whose client ID is wanted, and which one will do."""

    def is_wanted(self, identity: str, /) -> bool:
        """Tell whether a subscriber must show a client ID before it registers."""

    def accepts(self, identity: str, client_id: bytes, /) -> bool:
        """Tell whether this terminal may register for the subscriber."""


@dataclass(frozen=True, slots=True)
class AnyTerminal:
    """Wants a client ID where `wanted`, and takes any but those of `refused`."""

    wanted: bool = False
    refused: frozenset[bytes] = frozenset()

    def is_wanted(self, identity: str) -> bool:
        """Tell whether a subscriber must show a client ID before it registers."""
        del identity
        return self.wanted

    def accepts(self, identity: str, client_id: bytes) -> bool:
        """Tell whether this terminal may register for the subscriber."""
        del identity
        return client_id not in self.refused


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A Registration that waits for a client ID, where pushes are to go, and until when (Unix time) it waits."""

    request: HttpRequest
    address: str
    push_port: int | None
    until: float

    def encode(self) -> bytes:
        """Return it as it is stored. Raises `DecodeError` for a Registration that could not be read again."""
        headers = tuple(one for one in self.request.headers if one[0].lower() in _KEPT)
        try:
            octets = replace(self.request, headers=headers).encode()
        except EncodeError as error:
            raise DecodeError(str(error)) from None
        HttpRequest.decode(octets)
        return json.dumps([octets.hex(), self.address, self.push_port, self.until], separators=(",", ":")).encode()

    @classmethod
    def decode(cls, stored: bytes) -> _Waiting:
        """Read it. Raises `HeadendError`: it was written by this module, so it was tampered with."""
        try:
            octets, address, push_port, until = json.loads(stored)
            return cls(HttpRequest.decode(bytes.fromhex(octets)), address, push_port, float(until))
        except (ValueError, TypeError, DecodeError) as error:
            raise HeadendError(f"a Registration that waits cannot be read ({type(error).__name__})") from None


class ClientIds:
    """Stands before what answers Registrations, and asks for client IDs."""

    def __init__(self, service: Service, rule: ClientIdRule, records: Records, clock: NetworkClock) -> None:
        """Take what answers Registrations, whose client ID is wanted, where accepted ones are noted, and the time."""
        self._service = service
        self._rule = rule
        self._records = records
        self._clock = clock

    def serve(self, request: HttpRequest, target: Target, caller: Caller) -> HttpResponse:
        """Answer a request of key management; a Registration without a client ID that is wanted is asked for it.

        Raises `DecodeError`, `HeadendError`.
        """
        if REGISTRATION.query not in target.query.split("&"):
            return self._service.serve(request, target, caller)
        shown = _shown(request, caller)
        if shown is not None and not self._take(caller.identity, shown):
            return _refuse(request)
        if shown is None and self._rule.is_wanted(caller.identity) and self._known(caller.identity) is None:
            until = self._clock.now().timestamp() + PENDING_SECONDS
            waiting = _Waiting(request, caller.peer.address, caller.push_port, until)
            self._records.put(_KIND, caller.identity, _WAITING, waiting.encode())
            return self._asking()
        return self._service.serve(request, target, caller)

    def show(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """Take the client ID that was asked for, and answer the Registration that waits for it.

        Raises `DecodeError`, `HeadendError`.
        """
        stored = self._records.find(_KIND, caller.identity, _WAITING)
        waiting = None if stored is None else _Waiting.decode(stored)
        if waiting is None or waiting.until <= self._clock.now().timestamp():
            return failure(HTTPStatus.FORBIDDEN, "no Registration waits for a client ID")
        self._records.drop(_KIND, caller.identity, _WAITING)
        shown = _shown(request, caller)
        if shown is None or not self._take(caller.identity, shown):
            return KeptAnswer.of(_refuse(waiting.request))
        # Pushes go to where the Registration came from (TS 33.246 clause 6.3.2.1A), under the B-TID of now.
        route = Caller(caller.identity, caller.username, Peer(waiting.address), waiting.push_port)
        return self._service.serve(waiting.request, Target.parse(waiting.request.target), route)

    def _take(self, identity: str, client_id: bytes) -> bool:
        """Note a client ID that will do."""
        if not self._rule.accepts(identity, client_id):
            _log.info("a client ID is refused")
            return False
        if self._known(identity) != client_id:
            self._records.put(_KIND, identity, _NAME, client_id)
        return True

    def _known(self, identity: str) -> bytes | None:
        return self._records.find(_KIND, identity, _NAME)

    def _asking(self) -> HttpResponse:
        headers = (("Server", SERVER_NAME), ("Date", http_date(self._clock.now())))
        asking = answer(HTTPStatus.FORBIDDEN, CLIENT_ID_WANTED.encode(), "text/plain", headers)
        return KeptAnswer.of(asking, ASKING_REASON)


class UaRoutes:
    """What is behind the digest of a BSM, by path: key management, service provisioning, client IDs."""

    def __init__(self, keys: ClientIds, provisioning: Service, is_provisioning: Callable[[Target], bool]) -> None:
        """Take what answers each, and what tells a request of service provisioning by its path."""
        self._keys = keys
        self._provisioning = provisioning
        self._is_provisioning = is_provisioning

    def serve(self, request: HttpRequest, target: Target, caller: Caller) -> HttpResponse:
        """Return the answer to an authenticated request. Raises `DecodeError`, `HeadendError`."""
        if request.method == CLIENT_ID.method and target.path == CLIENT_ID.tail:
            return self._keys.show(request, caller)
        if self._is_provisioning(target):
            return self._provisioning.serve(request, target, caller)
        return self._keys.serve(request, target, caller)


def _shown(request: HttpRequest, caller: Caller) -> bytes | None:
    """Return the client ID in a request; None for none, for one outside TLS, and for one that cannot be read."""
    agent = " ".join(request.all("User-Agent"))
    try:
        found = find_client_id(agent)
    except DecodeError:
        _log.info("a client ID cannot be read")
        return None
    if found is not None and caller.peer.certificate is None:
        _log.info("a client ID came without TLS with a certificate and counts as none")
        return None
    return found


def _refuse(registration: HttpRequest) -> HttpResponse:
    """Return the refusal of a Registration. Raises `DecodeError`."""
    wanted = dict.fromkeys(Registration.decode(registration.body).service_ids)
    codes = tuple(ServiceCode(one, HTTPStatus.FORBIDDEN) for one in wanted)
    return answer(HTTPStatus.FORBIDDEN, RegistrationAnswer(codes).encode(), REGISTRATION.answer)
