"""Registration, deregistration and MSK request of authenticated subscribers (TS 33.246 clauses 6.3.2.1A to 6.3.2.2).

A registration belongs to the subscriber and not to its B-TID; a new one replaces the old one. It says where pushes go:
to the source address of the message. Every request that can be read is answered with 200 and a code for each item.
Unknown or not bought is 403: the text gives codes by meaning only, and 404 is about the URI (clause G.2.4).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Protocol

from card.errors import DecodeError
from host_tools.exchange.http import HttpRequest, HttpResponse, media_type
from host_tools.exchange.messages.msk import MskAnswer, MskCode, MskName, MskRequest
from host_tools.exchange.messages.registration import Deregistration, Registration, RegistrationAnswer, ServiceCode
from host_tools.exchange.procedures import DEREGISTRATION, KEY_MANAGEMENT, REGISTRATION, Procedure, Target
from host_tools.headend.bsm.ltkm_sender import Order
from host_tools.headend.bsm.server import Bsm
from host_tools.headend.http.answers import answer, failure
from host_tools.headend.http.push import Pushes, Route
from host_tools.headend.http.ua import Caller
from host_tools.headend.service_keys import ServiceKey

_REQUEST_TYPE = "requesttype="


class Rights(Protocol):
    """Who may receive what."""

    def may_receive(self, identity: str, service_id: str, /) -> bool:
        """Tell whether a subscriber has the item with this serviceID."""


@dataclass(frozen=True, slots=True)
class GrantedRights:
    """Rights that are known beforehand: serviceIDs by identity."""

    granted: Mapping[str, frozenset[str]]

    def may_receive(self, identity: str, service_id: str) -> bool:
        """Tell whether a subscriber has the item with this serviceID."""
        return service_id in self.granted.get(identity, frozenset())


@dataclass(frozen=True, slots=True)
class Registered:
    """What a subscriber is registered for (serviceIDs), and where its pushes go."""

    service_ids: tuple[str, ...]
    route: Route


class KeyManagement:
    """The three procedures over a BSM. `catalogue` has the services of the BSM behind each serviceID."""

    def __init__(self, bsm: Bsm, catalogue: Mapping[str, tuple[str, ...]], rights: Rights, pushes: Pushes) -> None:
        """Take the BSM, what can be registered for, who may, and where LTKMs go out."""
        self._bsm = bsm
        self._catalogue = catalogue
        self._rights = rights
        self._pushes = pushes
        self._registered: dict[str, Registered] = {}

    def registration(self, identity: str) -> Registered | None:
        """Return what a subscriber is registered for."""
        return self._registered.get(identity)

    def serve(self, request: HttpRequest, target: Target, caller: Caller) -> HttpResponse:
        """Answer an authenticated request. Raises `DecodeError`, `HeadendError`."""
        if not target.ends_with(REGISTRATION):
            return failure(HTTPStatus.NOT_FOUND)
        if request.method != REGISTRATION.method:
            return failure(HTTPStatus.METHOD_NOT_ALLOWED, headers=(("Allow", REGISTRATION.method),))
        procedure = _procedure(target)
        if procedure is None:
            return failure(HTTPStatus.NOT_IMPLEMENTED)
        if media_type(request.one("Content-Type")) != procedure.request:
            raise DecodeError(f"a {procedure.name} is of type {procedure.request}")
        return answer(HTTPStatus.OK, self._run(procedure, caller, request.body), procedure.answer)

    def register(self, caller: Caller, service_ids: Iterable[str]) -> tuple[ServiceCode, ...]:
        """Register a subscriber for these serviceIDs and order their keys; a purchase may do so as well."""
        codes = tuple(ServiceCode(wanted, self._code(caller.identity, wanted)) for wanted in dict.fromkeys(service_ids))
        accepted = tuple(code.service_id for code in codes if code.status == HTTPStatus.OK)
        route = Route(caller.peer.address, caller.username)
        self._registered.pop(caller.identity, None)
        if accepted:
            self._registered[caller.identity] = Registered(accepted, route)
        self._pushes.restart(caller.identity, route, self._orders(route, self._services(accepted)))
        return codes

    def deregister(self, caller: Caller, service_ids: Iterable[str]) -> tuple[ServiceCode, ...]:
        """Take services off a registration; keys that nothing else uses are withdrawn (clause 6.3.2.1B)."""
        before = self._registered.get(caller.identity)
        held = before.service_ids if before else ()
        wanted = tuple(dict.fromkeys(service_ids))
        left = tuple(one for one in wanted if one in held)
        kept = tuple(one for one in held if one not in wanted)
        route = Route(caller.peer.address, caller.username)
        self._registered.pop(caller.identity, None)
        if kept:
            self._registered[caller.identity] = Registered(kept, route)
        services = self._services(kept)
        # Withdrawals are sealed now, with a T below that of all that is sealed later: they go first.
        withdrawn = self._bsm.deregister(caller.username, self._services(left), services)
        orders = [Order(partial(_same, ltkm)) for ltkm in withdrawn]
        self._pushes.restart(caller.identity, route, [*orders, *self._orders(route, services)])
        return tuple(ServiceCode(one, HTTPStatus.OK if one in left else HTTPStatus.FORBIDDEN) for one in wanted)

    def request_keys(self, caller: Caller, names: Iterable[MskName]) -> tuple[MskCode, ...]:
        """Order the keys that a subscriber asks for and may have."""
        codes: list[MskCode] = []
        before = self._registered.get(caller.identity)
        route = Route(before.route.address if before else caller.peer.address, caller.username)
        for name in dict.fromkeys(names):
            key = self._find(before, name)
            codes.append(MskCode(name, HTTPStatus.FORBIDDEN if key is None else HTTPStatus.OK))
            if key is not None:
                self._pushes.order(caller.identity, route, [self._order(route, key.service, key)])
        return tuple(codes)

    def _code(self, identity: str, service_id: str) -> HTTPStatus:
        known = service_id in self._catalogue and self._rights.may_receive(identity, service_id)
        return HTTPStatus.OK if known else HTTPStatus.FORBIDDEN

    def _services(self, service_ids: Iterable[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(service for one in service_ids for service in self._catalogue[one]))

    def _orders(self, route: Route, services: Iterable[str]) -> list[Order]:
        return [self._order(route, service, None) for service in services]

    def _order(self, route: Route, service: str, key: ServiceKey | None) -> Order:
        return Order(partial(self._bsm.ltkm, service, route.b_tid, key))

    def _find(self, before: Registered | None, name: MskName) -> ServiceKey | None:
        """Return the key of this name, in use or to come, if the subscriber is registered for a service that has it."""
        for service in self._services(before.service_ids if before else ()):
            current = self._bsm.current_key(service)
            if (current.key_domain_id, current.key_ids.key_group) != (name.key_domain_id, name.key_group):
                continue
            if name.key_number == 0:
                return current
            keys = self._bsm.keys(service)
            good = keys[keys.index(current) :]
            return next((key for key in good if key.msk_id == name.msk_id), None)
        return None

    def _run(self, procedure: Procedure, caller: Caller, body: bytes) -> bytes:
        """Read the request, do what it asks for, return the body of the answer. Raises `DecodeError`."""
        if procedure is REGISTRATION:
            return RegistrationAnswer(self.register(caller, Registration.decode(body).service_ids)).encode()
        if procedure is DEREGISTRATION:
            return RegistrationAnswer(self.deregister(caller, Deregistration.decode(body).service_ids)).encode()
        return MskAnswer(self.request_keys(caller, MskRequest.decode(body).names)).encode()


def _same(ltkm: bytes) -> bytes:
    return ltkm


def _procedure(target: Target) -> Procedure | None:
    """Return the procedure that the query names, None for one that is not known. Raises `DecodeError` for none."""
    named = [part for part in target.query.split("&") if part.startswith(_REQUEST_TYPE)]
    if len(named) != 1:
        raise DecodeError("the request URI names one request type")
    return next((procedure for procedure in KEY_MANAGEMENT if procedure.query == named[0]), None)
