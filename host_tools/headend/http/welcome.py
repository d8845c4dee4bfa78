"""What a subscriber gets with its first request: the items that come without being asked for."""

from __future__ import annotations

from collections.abc import Callable

from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.procedures import Target
from host_tools.headend.bounded import BoundedTable
from host_tools.headend.http.ua import Caller, Service

_REMEMBERED = 100_000


class Welcome:
    """Gives each subscriber what is included, and hands its requests on."""

    def __init__(self, service: Service, include: Callable[[str], bool]) -> None:
        """Take what answers, and what gives a subscriber what is included, and tells whether it was anything."""
        self._service = service
        self._include = include
        self._welcomed: BoundedTable[str, None] = BoundedTable(1, _REMEMBERED)

    def serve(self, request: HttpRequest, target: Target, caller: Caller) -> HttpResponse:
        """Answer an authenticated request. Raises `DecodeError`, `HeadendError`."""
        # What is given now is kept with this request, or not at all: who had it before needs no more looking at.
        if self._welcomed.owner(caller.identity) is None and not self._include(caller.identity):
            self._welcomed.put(caller.identity, caller.identity, None)
        return self._service.serve(request, target, caller)
