"""Key messages that come twice."""

from __future__ import annotations

from host_tools.headend.bsm.books import Route
from host_tools.headend.bsm.ltkm_sender import FIRST_WAIT
from host_tools.headend.bsm.orders import Order, OrderKind
from tests.support.wire import TERMINAL, UsimBench


def test_the_same_octets_are_answered_from_memory_and_the_card_is_not_asked() -> None:
    bench = UsimBench()
    b_tid = bench.session.current().username
    order = Order(OrderKind.KEY, "one", credits=True)
    bench.pushes.order(bench.identity, Route(TERMINAL.address, b_tid), [order])
    (datagram,) = bench.pushes.due()
    port = bench.key_port(bench.middleware)
    (lost,) = port.received(datagram)
    bench.clock.advance(FIRST_WAIT)
    (again,) = bench.pushes.due()
    assert again.payload == datagram.payload
    assert port.received(again) == (lost,)
    assert (len(bench.receipts), port.repeated) == (1, 1)
    bench.pushes.received(lost)
    assert bench.pushes.acknowledged == 1
