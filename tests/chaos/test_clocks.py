"""A terminal whose clock is far from that of the network: purchases and registrations balance all the same."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from host_tools.exchange.messages.orders import ServiceRequest
from host_tools.exchange.messages.tokens import TokenPurchaseRequest
from host_tools.terminal.client.wishes import Order, Register
from tests.flows.offers import ITEM1, TOKENS
from tests.support.chaos.sheet import Sheet
from tests.support.chaos.world import World


@pytest.mark.parametrize("days", [-4000, 20])
def test_clocks_apart(tmp_path: Path, days: int, sheet: Sheet) -> None:
    """20 days stay within the month that was bought: beyond it the terminal would hold the item to be over."""
    with World(tmp_path, sheet=sheet, ahead=timedelta(days=days)) as world:
        for number in range(3):
            world.buy(Order(TokenPurchaseRequest(f"clocks-{number}", items=(TOKENS,))), Decimal(2), 10)
            world.require_balance()
        world.buy(Order(ServiceRequest("clocks", (ITEM1,))), Decimal("4.99"))
        assert world.ask(Register()).failure is None
        assert ITEM1.service_id in world.require_balance().items
        assert world.served.defects == 0
