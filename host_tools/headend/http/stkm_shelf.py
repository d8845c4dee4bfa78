"""STKMs for terminals that ask for them over the interaction channel (OMA BCAST architecture, clause 5.4.4.2.1.3).

A terminal asks by GET for the STKM of a service that is current: that of the newest crypto period which has begun. With
`?after=` and the ETag of one that it has, the answer waits until there is another, for at most 20 s (304 then).
STKMs are no secret: they go over the air, so nobody has to show who it is. Path and waiting are ours.
"""

from __future__ import annotations

from bisect import insort
from datetime import datetime
from http import HTTPStatus

from card.crypto.primitives import sha256
from card.errors import DecodeError
from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.messages.back_end import FinishedStkm, Stkms
from host_tools.exchange.procedures import STKM_REQUEST, Target
from host_tools.exchange.transport import Peer
from host_tools.headend.clock import NetworkClock
from host_tools.headend.http.answers import answer, failure
from host_tools.headend.http.guarded import GuardedServer

_OF_A_SERVICE = 1024
_SERVICES = 64
_AFTER = "after="


class StkmShelf(GuardedServer):
    """The STKMs of all services, each until a later one is current."""

    reference_point = "the interaction channel"

    def __init__(self, clock: NetworkClock) -> None:
        """Take the time."""
        super().__init__()
        self._clock = clock
        self._stkms: dict[str, list[tuple[datetime, int, bytes]]] = {}

    def put(self, stkms: Stkms) -> None:
        """Take finished STKMs; those that are there already stay. What is too much gives way, the oldest first."""
        if stkms.service not in self._stkms and len(self._stkms) >= _SERVICES:
            return
        kept = self._stkms.setdefault(stkms.service, [])
        for one in stkms.stkms:
            entry = (one.begins, one.counter, one.octets)
            if entry not in kept[-_OF_A_SERVICE:]:
                insort(kept, entry)
        self._tidy(kept)

    def put_now(self, service: str, octets: bytes) -> None:
        """Take an STKM that has just gone out over the air."""
        self.put(Stkms(service, (FinishedStkm(0, self._clock.now(), octets),)))

    def clear(self) -> None:
        """Forget all: the broadcast is over, and no STKM holds any more."""
        self._stkms.clear()

    def current(self, service: str) -> bytes | None:
        """Return the STKM that holds now, None where there is none."""
        kept = self._stkms.get(service, [])
        self._tidy(kept)
        return kept[0][2] if kept and kept[0][0] <= self._clock.now() else None

    def has_nothing_new(self, request: HttpRequest) -> bool:
        """Tell whether a client asks for another STKM than the one it has, and there is none yet."""
        try:
            found = _wanted(request)
        except DecodeError:  # which is what it will be told
            return False
        if found is None or not found[1]:
            return False
        octets = self.current(found[0])
        return octets is not None and _tag(octets) == found[1]

    def _answer(self, request: HttpRequest, peer: Peer) -> HttpResponse:
        del peer
        found = _wanted(request)
        if found is None:
            return failure(HTTPStatus.NOT_FOUND)
        if request.method != STKM_REQUEST.method:
            return failure(HTTPStatus.METHOD_NOT_ALLOWED, headers=(("Allow", STKM_REQUEST.method),))
        octets = self.current(found[0])
        if octets is None:
            return failure(HTTPStatus.NOT_FOUND, "no STKM of this service is current")
        headers = (("ETag", f'"{_tag(octets)}"'),)
        if _tag(octets) == found[1]:
            return answer(HTTPStatus.NOT_MODIFIED, headers=headers)
        return answer(HTTPStatus.OK, octets, STKM_REQUEST.answer, headers)

    def _tidy(self, kept: list[tuple[datetime, int, bytes]]) -> None:
        """Drop STKMs behind which a later one is current, and what is too much."""
        now = self._clock.now()
        begun = sum(begins <= now for begins, _, _ in kept)
        del kept[: max(begun - 1, 0)]
        del kept[: max(len(kept) - _OF_A_SERVICE, 0)]


def _tag(octets: bytes) -> str:
    return sha256(octets)[:8].hex()


def _wanted(request: HttpRequest) -> tuple[str, str] | None:
    """Return service and the tag that the client has ("" for none), None where the path is another."""
    target = Target.parse(request.target)
    service = target.path.partition(STKM_REQUEST.tail)[2]
    if not service or "/" in service:
        return None
    named = [part.removeprefix(_AFTER) for part in target.query.split("&") if part.startswith(_AFTER)]
    return service, named[0].strip('"') if named else ""
