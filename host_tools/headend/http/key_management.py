"""Registration, deregistration and MSK request of authenticated subscribers (TS 33.246 clauses 6.3.2.1A to 6.3.2.2).

A registration belongs to the subscriber and not to its B-TID; a new one takes the place of the old one for the services
that it names, and the others stay. It says where pushes go: to the source address of the message. Every request that
can be read is answered with 200 and a code for each item. Unknown or not bought is 403: the text gives codes by meaning
only, and 404 is about the URI (clause G.2.4).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Protocol

from card.codec.mikey import MbmsKeyIds
from card.errors import DecodeError
from host_tools.exchange.http import HttpRequest, HttpResponse, media_type
from host_tools.exchange.messages.msk import MskAnswer, MskCode, MskName, MskRequest
from host_tools.exchange.messages.registration import Deregistration, Registration, RegistrationAnswer, ServiceCode
from host_tools.exchange.names import TAKEN_HEADER, find_taken
from host_tools.exchange.procedures import DEREGISTRATION, KEY_MANAGEMENT, REGISTRATION, Procedure, Target
from host_tools.headend.bsm.books import Books, Registered, Route
from host_tools.headend.bsm.key_order import by_use, key_of, keys_behind
from host_tools.headend.bsm.orders import Order, OrderKind
from host_tools.headend.bsm.server import Bsm
from host_tools.headend.http.answers import answer, failure
from host_tools.headend.http.push import Pushes
from host_tools.headend.http.ua import Caller
from host_tools.headend.service_keys import ServiceKey

_REQUEST_TYPE = "requesttype="


REGISTRATION_LIFE = 24 * 3600.0
"""Seconds without an authenticated request after which a registration is over; ours."""
PULLED_LIFE = 3600.0
"""Seconds for which one who was pulled by short message may ask for keys though it is not registered; ours."""
_PULLED, _AT = "pulled", "at"
_HEARD_STEP = 3600.0
"""How much later a subscriber must be heard again for that to be written down."""


class MayReceive(Protocol):
    """Who may register for what."""

    def may_receive(self, identity: str, service_id: str, /) -> bool:
        """Tell whether a subscriber has the item with this serviceID."""


class Delivery(Protocol):
    """Which LTKMs bring what a subscriber is registered for, where the keys alone are not all."""

    def registering(self, identity: str, service_ids: Sequence[str], /) -> None:
        """Hear what a subscriber wants to register for, before it is said what it may. Raises `HeadendError`."""

    def registered(self, identity: str, service_ids: Sequence[str], /) -> Sequence[Order]:
        """Return the LTKMs for one who has registered for these serviceIDs. Raises `HeadendError`."""

    def asked(
        self, identity: str, service_ids: Sequence[str], key: ServiceKey, waiting: Collection[Order], /
    ) -> Sequence[Order] | None:
        """Return the LTKMs for one who is registered for these serviceIDs and asks for a key.

        None where nothing that it has brings this key. `waiting` is what credits and is on its way: what that brings
        comes anyway. Raises `HeadendError`.
        """


class KeyManagement:
    """The three procedures over a BSM. `catalogue` has the services of the BSM behind each serviceID."""

    def __init__(
        self,
        bsm: Bsm,
        catalogue: Mapping[str, tuple[str, ...]],
        rights: MayReceive,
        pushes: Pushes,
        books: Books,
        delivery: Delivery | None = None,
    ) -> None:
        """Take the BSM, what can be registered for, who may, where LTKMs go out, and where it is written down.

        Without a `delivery` each service comes as a plain LTKM with its current key.
        """
        self._bsm = bsm
        self._catalogue = catalogue
        self._rights = rights
        self._pushes = pushes
        self._registrations = books.registrations
        self._records = books.records
        self._outbox = books.outbox
        self._delivery = delivery

    def registration(self, identity: str) -> Registered | None:
        """Return what a subscriber is registered for; one that was not heard for a day is registered for nothing.

        Items to which it has no right any more are purged.
        """
        found = self._registrations.find(identity)
        if found is None:
            return None
        good = tuple(one for one in found.service_ids if self._rights.may_receive(identity, one))
        if self._pushes.now - found.heard >= REGISTRATION_LIFE or not good:
            self._registrations.drop(identity)
            return None
        if good != found.service_ids:
            found = replace(found, service_ids=good)
            self._registrations.put(identity, found)
        return found

    def bring(self, identity: str, key: ServiceKey) -> bool:
        """Order a key for a subscriber that did not ask for it, as a roll-over comes; tell whether anything was.

        It goes to one who is registered for the service of the key, and comes as if it had been asked for. Raises
        `HeadendError` when too much waits.
        """
        before = self.registration(identity)
        if before is None or key.service not in self.services(before.service_ids):
            return False
        orders = self._asked(identity, before.service_ids, key, before.route.b_tid)
        if orders:
            self._pushes.order(identity, before.route, orders)
        return bool(orders)

    def send(self, identity: str, registered: Registered, orders: Iterable[Order]) -> int:
        """Order LTKMs for one who is registered so; return how many, with what must follow them.

        Raises `HeadendError` when too much waits.
        """
        held, route = registered.service_ids, registered.route
        coming = self._newest_last(identity, route.b_tid, held, orders)
        self._pushes.order(identity, route, coming)
        return len(coming)

    def heard(self, identity: str) -> None:
        """Note that a subscriber has shown who it is: its registration lives on."""
        found = self.registration(identity)
        if found is not None and self._pushes.now - found.heard >= _HEARD_STEP:
            self._registrations.put(identity, replace(found, heard=self._pushes.now))

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
        return answer(HTTPStatus.OK, self._run(procedure, caller, request), procedure.answer)

    def register(
        self, caller: Caller, service_ids: Iterable[str], taken: Iterable[tuple[str, int]] = ()
    ) -> tuple[ServiceCode, ...]:
        """Register a subscriber for these serviceIDs and order their keys.

        What it is registered for already stays: a terminal may name each service as its user turns to it, and leaves
        one by deregistration (clauses 6.3.2.1A, 6.3.2.1B). `taken` is what the terminal says it took, by B-TID and T.
        """
        wanted = tuple(dict.fromkeys(service_ids))
        if self._delivery is not None:
            self._delivery.registering(caller.identity, wanted)
        codes = tuple(ServiceCode(one, self._code(caller.identity, one)) for one in wanted)
        accepted = tuple(code.service_id for code in codes if code.status == HTTPStatus.OK)
        before = self.registration(caller.identity)
        held = tuple(dict.fromkeys((*(before.service_ids if before else ()), *accepted)))
        self._write(caller, held)
        orders = self._orders(caller.identity, accepted)
        orders = self._newest_last(caller.identity, caller.username, held, orders)
        self._pushes.restart(caller.identity, caller.route, orders, tuple(taken))
        return codes

    def add(self, caller: Caller, service_ids: Iterable[str], orders: Iterable[Order] | None = None) -> None:
        """Register a subscriber for further serviceIDs, as a purchase does, and order LTKMs: by default their keys.

        It must have the right to them. Where it is registered already, its pushes go on to where they went.
        """
        wanted, before = tuple(dict.fromkeys(service_ids)), self.registration(caller.identity)
        route = _route(caller, before)
        held = tuple(dict.fromkeys((*(before.service_ids if before else ()), *wanted)))
        self._write(caller, held, route)
        orders = self._orders(caller.identity, wanted) if orders is None else orders
        self._pushes.order(caller.identity, route, self._newest_last(caller.identity, route.b_tid, held, orders))

    def leave(self, caller: Caller, service_ids: Iterable[str], using: Iterable[str]) -> None:
        """Take items off a registration, as the end of a subscription does, and withdraw their keys.

        Keys of services that another item of the registration has, or that are `using`, stay.
        """
        left, before = tuple(dict.fromkeys(service_ids)), self.registration(caller.identity)
        kept = tuple(one for one in (before.service_ids if before else ()) if one not in left)
        route = _route(caller, before)
        self._write(caller, kept, route)
        withdrawals = self._withdrawals(caller.identity, self.services(left), (*self.services(kept), *using))
        self._pushes.order(caller.identity, route, withdrawals)

    def hear_taken(self, caller: Caller, request: HttpRequest) -> None:
        """Settle what is in doubt of LTKMs that credit, where a request says which of them the terminal took.

        What was given up goes out again. A registration and a deregistration do both by themselves. Raises
        `DecodeError`.
        """
        values, route = request.all(TAKEN_HEADER), _route(caller, self.registration(caller.identity))
        if values:
            self._pushes.told(caller.identity, route, find_taken(values))
        self._pushes.seen(caller.identity, route)

    def pull(self, identity: str) -> bool:
        """Have a registered terminal ask for its keys by itself; False where none is registered.

        TS 33.246 clause 6.3.2.2.4. The message goes under the SMK that the BSM knows last, also beyond its life.
        """
        before = self.registration(identity)
        if before is not None:
            orders = map(Order.for_pull, self.services(before.service_ids))
            self._pushes.order(identity, before.route, orders)
        return before is not None

    def entitled(self, identity: str) -> tuple[str, ...]:
        """Return the serviceIDs that a subscriber may register for."""
        return tuple(one for one in self._catalogue if self._rights.may_receive(identity, one))

    def expect(self, identity: str) -> None:
        """Let a subscriber that is not registered ask for the keys of what it may have, for a while."""
        self._records.put(_PULLED, identity, _AT, str(self._pushes.now).encode())

    def deregister(
        self, caller: Caller, service_ids: Iterable[str], taken: Iterable[tuple[str, int]] = ()
    ) -> tuple[ServiceCode, ...]:
        """Take services off a registration; keys that nothing else uses are withdrawn (clause 6.3.2.1B)."""
        before = self.registration(caller.identity)
        held = before.service_ids if before else ()
        wanted = tuple(dict.fromkeys(service_ids))
        left = tuple(one for one in wanted if one in held)
        kept = tuple(one for one in held if one not in wanted)
        self._write(caller, kept)
        withdrawals = self._withdrawals(caller.identity, self.services(left), self.services(kept))
        orders = self._newest_last(caller.identity, caller.username, kept, self._orders(caller.identity, kept))
        self._pushes.restart(caller.identity, caller.route, (*withdrawals, *orders), tuple(taken))
        return tuple(ServiceCode(one, HTTPStatus.OK if one in left else HTTPStatus.FORBIDDEN) for one in wanted)

    def request_keys(self, caller: Caller, names: Iterable[MskName]) -> tuple[MskCode, ...]:
        """Order the keys that a subscriber asks for and that what it has brings; the others are refused, one by one.

        A key whose LTKM sets a counter or brings tokens comes without these; where that LTKM is not acknowledged yet,
        the same octets go out again. So nothing is credited twice (ours; no text of OMA BCAST was at hand).
        """
        codes: list[MskCode] = []
        before = self.registration(caller.identity)
        route = _route(caller, before)
        held = self._expected(caller.identity) if before is None else before.service_ids
        for name in dict.fromkeys(names):
            key = self._find(caller.identity, held, name)
            orders = None if key is None else self._asked(caller.identity, held, key, route.b_tid)
            codes.append(MskCode(name, HTTPStatus.FORBIDDEN if orders is None else HTTPStatus.OK))
            if key is not None and orders is not None:
                # None is to be made where the key is on its way: then that goes out again, or its turn comes.
                waits = key.key_ids in self._ordered(caller.identity)
                orders = () if waits else self._newest_last(caller.identity, route.b_tid, held, orders)
                self._pushes.order(caller.identity, route, orders)
        if before is not None and before.route != route:
            self._registrations.put(caller.identity, replace(before, route=route, heard=self._pushes.now))
        return tuple(codes)

    def services(self, service_ids: Iterable[str]) -> tuple[str, ...]:
        """Return the services of the BSM behind serviceIDs; one that is not in the catalogue has none."""
        return tuple(dict.fromkeys(service for one in service_ids for service in self._catalogue.get(one, ())))

    def _write(self, caller: Caller, service_ids: tuple[str, ...], route: Route | None = None) -> None:
        """Write a registration down; one for nothing is none."""
        if service_ids:
            registered = Registered(service_ids, route or caller.route, self._pushes.now)
            self._registrations.put(caller.identity, registered)
        else:
            self._registrations.drop(caller.identity)

    def _code(self, identity: str, service_id: str) -> HTTPStatus:
        known = service_id in self._catalogue and self._rights.may_receive(identity, service_id)
        return HTTPStatus.OK if known else HTTPStatus.FORBIDDEN

    def _orders(self, identity: str, service_ids: tuple[str, ...]) -> Sequence[Order]:
        if self._delivery is not None:
            return self._delivery.registered(identity, service_ids)
        return [Order.for_key(service) for service in self.services(service_ids)]

    def _asked(
        self, identity: str, service_ids: tuple[str, ...], key: ServiceKey, b_tid: str
    ) -> Sequence[Order] | None:
        if self._delivery is not None:
            return self._delivery.asked(identity, service_ids, key, self._pushes.crediting(identity, b_tid))
        return [Order.for_key(key.service, key)]

    def _withdrawals(self, identity: str, left: Iterable[str], kept: Iterable[str]) -> tuple[Order, ...]:
        """Return what makes the keys of services invalid that are `left`, but for those `kept`.

        A key that still waits to be sent does not go out any more; what credits was paid for and does, so its key is
        withdrawn behind it.
        """
        staying = frozenset(kept)
        going = tuple(service for service in dict.fromkeys(left) if service not in staying)
        keys = dict.fromkeys(key for service in going for key in self._bsm.brought(identity, service))
        for number, order in self._outbox.orders(identity):
            if order.kind is not OrderKind.KEY or order.service not in going:
                continue
            if not order.credits:
                self._outbox.drop(identity, number)
            elif (key := key_of(self._bsm, order)) is not None:
                keys[key] = None
        return tuple(map(Order.for_withdrawal, keys))

    def _newest_last(
        self, identity: str, b_tid: str, held: tuple[str, ...], orders: Iterable[Order]
    ) -> tuple[Order, ...]:
        """Return orders as the card of a subscriber must get them, and behind them what it must get once more."""
        coming = by_use(self._bsm, orders)
        following = keys_behind(self._bsm, identity, coming, self._ordered(identity))
        return (*coming, *(order for key in following for order in self._asked(identity, held, key, b_tid) or ()))

    def _ordered(self, identity: str) -> frozenset[MbmsKeyIds]:
        """Return the keys that wait to be sent to a subscriber."""
        orders = (order for _, order in self._outbox.orders(identity))
        return frozenset(order.key for order in orders if order.kind is OrderKind.KEY and order.key is not None)

    def _expected(self, identity: str) -> tuple[str, ...]:
        """Return what one may ask keys of that is not registered: nothing, unless it was pulled by short message."""
        at = self._records.find(_PULLED, identity, _AT)
        fresh = at is not None and 0 <= self._pushes.now - float(at) < PULLED_LIFE
        return self.entitled(identity) if fresh else ()

    def _find(self, identity: str, held: Sequence[str], name: MskName) -> ServiceKey | None:
        """Return the key of this name, if one of these serviceIDs has a service with it.

        It is in use or to come, or it was ordered for the subscriber or brought to it before: what it may have had once
        it may have again, also when its time is over. Who is behind, and whose LTKM was lost, needs it still (ours; no
        text says what else is answered).
        """
        for service in self.services(held):
            current = self._bsm.current_key(service)
            if (current.key_domain_id, current.key_ids.key_group) != (name.key_domain_id, name.key_group):
                continue
            if name.key_number == 0:
                return current
            keys = self._bsm.keys(service)
            # One that an operator took up in between stands behind those of the schedule that come after it.
            place, first = keys.index(current), current.first_mtk_id
            good = (key for at, key in enumerate(keys) if at >= place or key.first_mtk_id > first)
            return next(
                (key for key in (*good, *self._bsm.brought(identity, service)) if key.msk_id == name.msk_id), None
            )
        return None

    def _run(self, procedure: Procedure, caller: Caller, request: HttpRequest) -> bytes:
        """Read the request, do what it asks for, return the body of the answer. Raises `DecodeError`."""
        if procedure is REGISTRATION:
            wanted, taken = Registration.decode(request.body).service_ids, find_taken(request.all(TAKEN_HEADER))
            return RegistrationAnswer(self.register(caller, wanted, taken)).encode()
        if procedure is DEREGISTRATION:
            left, taken = Deregistration.decode(request.body).service_ids, find_taken(request.all(TAKEN_HEADER))
            return RegistrationAnswer(self.deregister(caller, left, taken)).encode()
        self.heard(caller.identity)  # the two others write the registration anew
        self.hear_taken(caller, request)
        return MskAnswer(self.request_keys(caller, MskRequest.decode(request.body).names)).encode()


def _route(caller: Caller, before: Registered | None) -> Route:
    """Return where pushes go that a request other than a registration asks for: where those of the registration go.

    One that never registers is reached where it asked last (ours): nothing else would tell that it has moved.
    """
    if before is None or not caller.registers:
        return caller.route
    return replace(before.route, b_tid=caller.username)


def _procedure(target: Target) -> Procedure | None:
    """Return the procedure that the query names, None for one that is not known. Raises `DecodeError` for none."""
    named = [part for part in target.query.split("&") if part.startswith(_REQUEST_TYPE)]
    if len(named) != 1:
        raise DecodeError("the request URI names one request type")
    return next((procedure for procedure in KEY_MANAGEMENT if procedure.query == named[0]), None)
