"""A shop that knows no SRK has sold something (change request on the AD, clauses 5.4.7.2.10 and 5.4.7.2.11)."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from host_tools.exchange.messages.ltkm_push import OMA_LTKM_PORT
from host_tools.exchange.messages.registration import Registration, RegistrationAnswer, ServiceCode
from host_tools.exchange.messages.trigger import Trigger
from host_tools.exchange.procedures import REGISTRATION
from host_tools.headend.bsm.provisioning.sales import SaleRefusedError
from host_tools.headend.bsm.provisioning.shop_orders import OrderState, ShopOrder
from tests.flows import offers
from tests.flows.offers import ITEM1, TOKENS, UNKNOWN
from tests.support.flows import ANSWER, PUSH, REQUEST, TRIGGER, VERIFICATION, Log, RawTerminal, raw_terminal
from tests.support.head_end import HeadEnd, head_end

_DIGEST = [REQUEST, ANSWER, REQUEST, ANSWER]


@dataclass
class Run:
    """What crossed, and how the order stood after each step."""

    log: Log
    states: list[OrderState]
    may_before: bool


@pytest.fixture(scope="module")
def run() -> Run:
    """The whole of the clause; the pages of the shop are another matter."""
    plan, goods = offers.scenario(), offers.catalogue()
    with head_end(scenario=plan, catalogue=goods) as served, raw_terminal(served) as terminal:
        impi, selling = served.network.subscriber.impi, served.running.servers.selling
        states: list[OrderState] = []

        def order() -> ShopOrder:
            made = selling.desk.order(impi, (ITEM1, TOKENS), "order-1", terminal.address)
            served.running.port.flush()
            return made

        def state() -> OrderState:
            found = selling.desk.find(impi, "order-1")
            assert found is not None
            return found.state

        states.append(served.call(order).state)
        assert terminal.take(1) == 1
        may_before = served.call(lambda: selling.sales.may_receive(impi, ITEM1.service_id))
        trigger = Trigger.decode(terminal.log.crossed[0].octets)
        terminal.ask(REGISTRATION, Registration(tuple(one.service_id for one in trigger.items)).encode())
        assert terminal.take(1) == 1
        states.append(served.call(state))
        assert terminal.take(1) == 1
        assert terminal.settled(lambda: state() is OrderState.DELIVERED)
        states.append(served.call(state))
        assert (
            served.call(lambda: sum(one.amount for one in selling.sales.ledger.spent(impi)))
            == goods.items[0].price.amount + 2
        )
        again(served, terminal)
        assert served.defects == 0
        return Run(terminal.log, states, may_before)


def again(served: HeadEnd, terminal: RawTerminal) -> None:
    """The same order a second time is the one there was, and what is not sold is refused."""
    impi, desk = served.network.subscriber.impi, served.running.servers.selling.desk
    same = served.call(lambda: desk.order(impi, (ITEM1, TOKENS), "order-1", terminal.address))
    assert same.state is OrderState.DELIVERED
    served.call(served.running.port.flush)
    assert terminal.take(1, 0.2) == 0
    with pytest.raises(SaleRefusedError):
        served.call(lambda: desk.order(impi, (UNKNOWN,), "order-2", terminal.address))


@pytest.mark.flow("002", "5.4.7.2.10", step="2", message="the shop orders for a subscriber, with the items")
def test_5_4_7_2_10_step_2(run: Run) -> None:
    assert run.states[0] is OrderState.TRIGGERED
    assert not run.may_before, "nothing is sold before the terminal has shown who it is"


@pytest.mark.flow("002", "5.4.7.2.10", step="3", message="SmartcardProfileTrigger by UDP, with the items")
def test_5_4_7_2_10_step_3(run: Run) -> None:
    sent = run.log.crossed[0]
    assert (sent.kind, sent.port) == (TRIGGER, OMA_LTKM_PORT)
    assert sent.octets.startswith(b"<")
    trigger = Trigger.decode(sent.octets)
    assert trigger.items == (ITEM1, TOKENS)
    assert trigger.bsm_uri == f"http://{run.log.fqdn}/"


@pytest.mark.flow("002", "5.4.7.2.10", step="5", message="Registration with the items of the trigger")
def test_5_4_7_2_10_step_5(run: Run) -> None:
    assert Registration.decode(run.log.request(1).body).service_ids == (ITEM1.service_id, TOKENS.service_id)


@pytest.mark.flow("002", "5.4.7.2.10", step="6", message="401 with a challenge")
def test_5_4_7_2_10_step_6(run: Run) -> None:
    run.log.require_challenge(2)


@pytest.mark.flow("002", "5.4.7.2.10", step="4", message="SMK and SRK are there: the digest is right")
@pytest.mark.flow("002", "5.4.7.2.10", step="7", message="the request again, with B-TID and SRK")
def test_5_4_7_2_10_step_7(run: Run) -> None:
    run.log.require_credentials(3)


@pytest.mark.flow("002", "5.4.7.2.10", step="8", message="200 OK to the Registration")
def test_5_4_7_2_10_step_8(run: Run) -> None:
    codes = RegistrationAnswer.decode(run.log.require_signed(4).body).codes
    assert codes == (ServiceCode(ITEM1.service_id, 200), ServiceCode(TOKENS.service_id, 200))


@pytest.mark.flow("002", "5.4.7.2.10", step="9", message="the shop hears that the terminal has authenticated itself")
def test_5_4_7_2_10_step_9(run: Run) -> None:
    assert run.states[1] in (OrderState.REGISTERED, OrderState.SENT)


@pytest.mark.flow("002", "5.4.7.2.10", step="10", message="LTKMs by UDP after the answer, and verification")
def test_5_4_7_2_10_step_10(run: Run) -> None:
    assert run.log.kinds() == [TRIGGER, *_DIGEST, PUSH, VERIFICATION, PUSH, VERIFICATION]
    groups = {run.log.require_push(place).key_group for place in (5, 7)}
    assert groups == {bytes.fromhex("0001"), bytes.fromhex("0003")}


@pytest.mark.flow("002", "5.4.7.2.10", step="11", message="the shop hears: delivered")
def test_5_4_7_2_10_step_11(run: Run) -> None:
    assert run.states[2] is OrderState.DELIVERED
