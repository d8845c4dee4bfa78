"""Key messages that come twice."""

from __future__ import annotations

from functools import partial

from host_tools.headend.bsm.ltkm_sender import Order
from host_tools.headend.http.push import Route
from tests.support.wire import TERMINAL, UsimBench


def test_the_same_octets_are_answered_from_memory_and_the_card_is_not_asked() -> None:
    bench = UsimBench()
    b_tid = bench.session.current().username
    mint = partial(bench.network.bsm.ltkm, "one", b_tid)
    bench.pushes.order(bench.identity, Route(TERMINAL.address, b_tid), [Order(mint, credits=True)])
    (datagram,) = bench.pushes.due()
    port = bench.key_port(bench.middleware)
    (lost,) = port.received(datagram)
    (again,) = bench.pushes.again(bench.identity)
    assert again.payload == datagram.payload
    assert port.received(again) == (lost,)
    assert (len(bench.receipts), port.repeated) == (1, 1)
    bench.pushes.received(lost)
    assert bench.pushes.acknowledged == 1
