"""A service is left while its key still waits to be sent: the card must not have it in the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from card.codec.mikey import MikeyMessage
from host_tools.exchange.messages.orders import ServiceRequest, UnsubscribeRequest
from host_tools.exchange.messages.registration import Deregistration
from host_tools.exchange.procedures import DEREGISTRATION, SERVICE_REQUEST, UNSUBSCRIBE
from host_tools.headend.bsm.orders import Order, OrderKind
from tests.flows import offers
from tests.flows.offers import BOTH
from tests.support.flows import PUSH, RawTerminal, raw_terminal
from tests.support.head_end import HeadEnd, head_end


@pytest.fixture
def served() -> Iterator[HeadEnd]:
    with head_end(scenario=offers.scenario(), catalogue=offers.catalogue()) as found:
        yield found
        assert found.defects == 0


def waiting(served: HeadEnd) -> list[Order]:
    impi, outbox = served.network.subscriber.impi, served.running.servers.books.outbox
    return served.call(lambda: [order for _, order in outbox.orders(impi)])


def groups_at_rest(served: HeadEnd, terminal: RawTerminal) -> list[int]:
    """Take everything that comes; return the key group of each LTKM."""
    impi, outbox = served.network.subscriber.impi, served.running.servers.books.outbox
    assert terminal.settled(lambda: not (outbox.orders(impi) or outbox.outstanding_of(impi)), taking=True)
    pushed = [MikeyMessage.decode(one.octets) for one in terminal.log.crossed if one.kind == PUSH]
    return [int.from_bytes(one.key_ids().key_group, "big") for one in pushed]


@pytest.mark.parametrize("leaves", [UNSUBSCRIBE, DEREGISTRATION])
def test_a_key_that_waits_is_not_sent_any_more(served: HeadEnd, leaves: object) -> None:
    with raw_terminal(served) as terminal:
        terminal.ask(SERVICE_REQUEST, ServiceRequest("b-1", (BOTH,)).encode())
        assert [order.service for order in waiting(served)][-1] == "two"
        if leaves is UNSUBSCRIBE:
            terminal.ask(UNSUBSCRIBE, UnsubscribeRequest("u-1", (BOTH,)).encode())
        else:
            terminal.ask(DEREGISTRATION, Deregistration((BOTH.service_id,)).encode())
        assert set(groups_at_rest(served, terminal)) == {1}


def test_a_key_that_was_paid_for_with_it_is_withdrawn_behind_it(served: HeadEnd) -> None:
    credit = Order(OrderKind.KEY, "two", served.network.bsm.current_key("two").key_ids, credits=True)
    impi, outbox = served.network.subscriber.impi, served.running.servers.books.outbox
    with raw_terminal(served) as terminal:
        terminal.ask(SERVICE_REQUEST, ServiceRequest("b-1", (BOTH,)).encode())

        def swap() -> None:
            with served.running.servers.books.transactions.transaction():
                for number, order in outbox.orders(impi):
                    if order.service == "two":
                        outbox.drop(impi, number)
                outbox.add(impi, credit)

        served.call(swap)
        terminal.ask(UNSUBSCRIBE, UnsubscribeRequest("u-1", (BOTH,)).encode())
        left = [(order.kind, order.service) for order in waiting(served) if order.service == "two"]
        assert left == [(OrderKind.KEY, "two"), (OrderKind.WITHDRAWAL, "two")]
        groups_at_rest(served, terminal)
        last = [MikeyMessage.decode(one.octets) for one in terminal.log.crossed if one.kind == PUSH][-1]
        assert int.from_bytes(last.key_ids().key_group, "big") == 2
