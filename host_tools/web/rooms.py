"""Puts the pages of `headend serve` together: both shops and the console."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from host_tools.exchange.ports import Clock, Rng
from host_tools.exchange.transport import Endpoint
from host_tools.headend.operating.operator import Operator
from host_tools.web.console.server import Console
from host_tools.web.shop.known import KnownShop
from host_tools.web.shop.unknown import UnknownShop
from host_tools.wire.visitors import KEY_PARAMETER, Visitors


@dataclass(frozen=True, slots=True)
class Rooms:
    """The pages, as `headend.serving` takes them. `console_url` opens once."""

    behind_digest: KnownShop
    shop: UnknownShop
    console: Console
    console_url: str
    operator: Operator

    @classmethod
    def of(cls, rng: Rng, clock: Clock, operator: Operator, places: Mapping[str, Endpoint]) -> Rooms:
        """Return the pages of a head-end; `places` says where `shop` and `console` listen."""
        servers = operator.servers
        console_visitors = Visitors(_names(places["console"]), rng)
        return cls(
            KnownShop(servers.selling, servers.books.outbox, rng, clock),
            UnknownShop(operator, servers.selling, Visitors(_names(places["shop"]), rng), rng, clock),
            Console(operator, console_visitors, rng, clock),
            f"http://{places['console'].address}:{places['console'].port}/?{KEY_PARAMETER}={console_visitors.new_key()}",
            operator,
        )

    def defects(self) -> int:
        """Return how many exceptions nobody expected."""
        return self.behind_digest.defects + self.shop.defects + self.console.defects

    def codes(self) -> Mapping[str, str]:
        """Return the order codes of the first subscribers, by identity; the console has those of all."""
        return {identity: self.operator.codes.of(identity) for identity in self.operator.page()}


def _names(place: Endpoint) -> tuple[str, ...]:
    return f"{place.address}:{place.port}", f"localhost:{place.port}"
