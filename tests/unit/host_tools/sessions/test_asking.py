"""One request to a BSM: what a person is told of an order that was neither granted nor refused for good."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from host_tools.exchange.messages.provisioning import PurchaseItem
from host_tools.sessions.online import asking
from host_tools.terminal.client.errands import Failure, Outcome, Trouble
from host_tools.terminal.client.wishes import Order, OrderMessage
from host_tools.terminal.http.errors import ServerRefusedError


@pytest.mark.parametrize(
    ("failure", "is_kept", "words"),
    [
        (Failure(Trouble.BUSY, "service request: busy", 503, 7), True, "503; try again in 7 s; the order is kept, and"),
        (Failure(Trouble.REFUSED, "service request: status 500", 500), True, "status 500; the order is kept, and"),
        (Failure(Trouble.REFUSED, "service request: status 400", 400), False, r"status 400\.$"),
    ],
)
def test_who_orders_is_told_what_the_next_command_sends(failure: Failure, is_kept: bool, words: str) -> None:
    """Else "refused with status 500" is the last that is heard of it, and whatever comes next buys it."""

    def wish_for(message: OrderMessage) -> Order:
        return Order(message)

    def ask(wish: Order) -> Outcome:
        return Outcome(wish, "b@x", failure=failure)

    online: Any = SimpleNamespace(terminal=SimpleNamespace(wish_for=wish_for, ask=ask, keeps=lambda _wish: is_kept))
    with pytest.raises(ServerRefusedError, match=words):
        asking.buy(online, [PurchaseItem("urn:item")])
