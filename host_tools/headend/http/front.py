"""What stands first behind the digest of a BSM: whom the operator refuses, and the pages of a shop that knows SRK."""

from __future__ import annotations

from http import HTTPStatus

from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.names import SHOP_PATH
from host_tools.exchange.procedures import Target
from host_tools.headend.bsm.books import Records
from host_tools.headend.http.answers import failure
from host_tools.headend.http.ua import Caller, Service

_KIND, _NAME = "refused", "by operator"


class Refusals:
    """Subscribers that get 403 to everything, until they are let in again."""

    def __init__(self, records: Records) -> None:
        """Take where it is noted."""
        self._records = records

    def are_for(self, identity: str) -> bool:
        """Tell whether a subscriber is refused."""
        return self._records.find(_KIND, identity, _NAME) is not None

    def put(self, identity: str, *, refused: bool) -> None:
        """Refuse a subscriber, or let it in again."""
        if refused:
            self._records.put(_KIND, identity, _NAME, b"1")
        else:
            self._records.drop(_KIND, identity, _NAME)


def refused() -> HttpResponse:
    """Return the answer to a subscriber that the operator refuses."""
    return failure(HTTPStatus.FORBIDDEN, "the operator refuses this subscriber")


class UaFront:
    """Answers authenticated requests: refuses, shows pages of the shop, or hands on. `shop` may be put later."""

    def __init__(self, behind: Service, refusals: Refusals) -> None:
        """Take what answers everything else, and who is refused."""
        self._behind = behind
        self._refusals = refusals
        self.shop: Service | None = None

    def serve(self, request: HttpRequest, target: Target, caller: Caller) -> HttpResponse:
        """Return the answer to an authenticated request. Raises `DecodeError`, `HeadendError`."""
        if self._refusals.are_for(caller.identity):
            return refused()
        if self.shop is not None and target.path.startswith(SHOP_PATH):
            return self.shop.serve(request, target, caller)
        return self._behind.serve(request, target, caller)
