"""Policies of OMA BCAST in a broadcast that begins again: each round has them, and what is credited comes once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from card.codec.bcast import LtkmManagement, bcast_extension
from card.codec.mikey import MikeyMessage
from card.spec.bcast.p1 import P1
from host_tools.exchange.messages.msk import MskAnswer, MskName, MskRequest
from host_tools.exchange.messages.orders import ServiceAnswer, ServiceRequest
from host_tools.exchange.messages.provisioning import ProvisioningStatus
from host_tools.exchange.messages.registration import Registration
from host_tools.exchange.messages.tokens import KeyWish, TokenPurchaseAnswer, TokenPurchaseRequest
from host_tools.exchange.procedures import MSK_REQUEST, REGISTRATION, SERVICE_REQUEST, TOKEN_PURCHASE
from host_tools.headend.on_air.sek_supply import add_seks
from host_tools.headend.scenario.on_air import ScenarioServices
from host_tools.headend.scenario.reading import parse_scenario
from host_tools.headend.scenario.wares import SERVICE_PREFIX
from host_tools.headend.service_keys import ServiceKey
from host_tools.terminal.audit import Auditor
from host_tools.terminal.bcast import Refusal, RefusalReason, StkmOutcome, Tek
from tests.support.flows import PUSH, RawTerminal, raw_terminal
from tests.support.head_end import HeadEnd, head_end

pytestmark = pytest.mark.usefixtures("patient_bsm")
# An hour a round, so that no test meets the end of one: four periods, two SEKs. The second round is on.
PLAN = parse_scenario(
    """
name = "rounds"
seed = "rounds 1"
start = 2026-11-21T12:00:00Z
duration = 3600.0

[network]
imsi = "001010123456789"

[stkm]
crypto_period = 900.0
repeat = 300.0

[[service]]
id = "news"
key_group = 1
address = "239.2.1.1"

[service.bcast]

[[event]]
at = 1800.0
kind = "sek-rollover"
service = "news"

[[delivery]]
service = "news"
offer = "pass"
spe = 0x9                       # counted live
counter = 3

[[delivery]]
service = "news"
offer = "pass"
key = 2
spe = 0x4                       # unlimited live
""",
    "rounds.toml",
)
ROUND = PLAN.duration
NEWS = SERVICE_PREFIX + "news"


@contextmanager
def second_round() -> Iterator[HeadEnd]:
    """Serve the second round, in the first of its four crypto periods."""
    began = datetime.now(UTC) - timedelta(milliseconds=ROUND + 1000)
    services = ScenarioServices(PLAN, began, loop=True)
    with head_end(scenario=PLAN, services=services) as served:

        def seks() -> None:
            with served.running.servers.books.transactions.transaction():
                add_seks(served.network.keys, services.timetable, services.elapsed(datetime.now(UTC)))

        served.call(seks)
        yield served
        assert served.defects == 0


def stkm_of(served: HeadEnd, period: int) -> bytes:
    """Return the first STKM of a crypto period, counted from 0 since the broadcast began."""
    timetable = served.network._on_air.timetable
    (slot,) = islice(timetable.stkms(period * PLAN.stkm.crypto_period - PLAN.stkm.lead), 1)
    assert slot.counter == period * 3 + 1
    return served.call(lambda: served.network.bsda.stkm(slot)).datagram.payload


def outcome(terminal: RawTerminal, served: HeadEnd, period: int) -> StkmOutcome:
    return terminal.card.feed(stkm_of(served, period))


def pushed(terminal: RawTerminal, after: int = 0) -> list[LtkmManagement]:
    found = [one.octets for one in terminal.log.crossed if one.kind == PUSH][after:]
    extensions = [bcast_extension(MikeyMessage.decode(one)) for one in found]
    return [LtkmManagement.decode(one[1], P1) for one in extensions if one is not None]


def counter(terminal: RawTerminal, key: ServiceKey) -> list[int | None]:
    policies = Auditor(terminal.card.usim).policies(key.key_domain_id, key.key_ids.key_group)
    return [one.quantities.tek_counter for one in policies if one.msk_id == key.msk_id]


def buys(terminal: RawTerminal, served: HeadEnd) -> None:
    item = next(item for item in served.running.servers.selling.sales.catalogue.items if item.offer == "pass")
    answer = terminal.ask(SERVICE_REQUEST, ServiceRequest("b", (item.reference,)).encode())
    assert ServiceAnswer.decode(answer.body).status is ProvisioningStatus.SUCCESS


def in_transaction(served: HeadEnd, step: Callable[[], object]) -> object:
    def run() -> object:
        with served.running.servers.books.transactions.transaction():
            return step()

    return served.call(run)


def test_what_is_bought_in_a_later_round_opens_it_and_the_next_without_another_credit() -> None:
    with second_round() as served, raw_terminal(served) as terminal:
        buys(terminal, served)
        assert terminal.take(2) == 2
        assert [(one.spe, one.counter) for one in pushed(terminal)] == [(0x9, 3), (0x4, None)]
        _, _, first, second, third, _ = served.network.bsm.keys("news")
        assert counter(terminal, first) == [3]
        assert isinstance(outcome(terminal, served, 4), Tek)  # the first period of the second round
        assert counter(terminal, first) == [2]
        # Its key is asked for again: it comes, and the counter stays where it is.
        names = [MskName(key.key_domain_id, key.msk_id) for key in (first, second)]
        answer = terminal.ask(MSK_REQUEST, MskRequest(tuple(names)).encode())
        assert [code.status for code in MskAnswer.decode(answer.body).codes] == [200, 200]
        assert terminal.take(2) == 2
        assert [(one.spe, one.counter) for one in pushed(terminal, 2)] == [(0x9, None), (0x4, None)]
        assert counter(terminal, first) == [2]
        assert isinstance(outcome(terminal, served, 5), Tek)
        assert isinstance(outcome(terminal, served, 6), Tek)  # under the second SEK of the round
        # The roll-over into the third round brings its key, and no counter that nobody paid for.
        keys, who = served.running.servers.keys, served.network.subscriber.impi
        assert in_transaction(served, lambda: keys.bring(who, third))
        served.running.loop.call_soon_threadsafe(served.running.port.flush)
        assert terminal.take(1) == 1
        assert [(one.spe, one.counter) for one in pushed(terminal, 4)] == [(0x9, None)]
        refused = outcome(terminal, served, 8)
        assert isinstance(refused, Refusal)
        assert refused.reason is RefusalReason.TEK_COUNTER_USED_UP
        assert in_transaction(served, lambda: keys.bring(who, served.network.bsm.keys("news")[5]))
        served.running.loop.call_soon_threadsafe(served.running.port.flush)
        assert terminal.take(1) == 1
        assert isinstance(outcome(terminal, served, 10), Tek)  # what has no counter is open in each round


def test_a_key_of_an_earlier_round_is_bought_for_that_round() -> None:
    """Who has recorded it asks by the name of its key, and for its STKMs."""
    with second_round() as served, raw_terminal(served) as terminal:
        key = served.network.bsm.keys("news")[1]
        wish = KeyWish(key.key_domain_id + key.msk_id, 7, 12)
        answer = terminal.ask(TOKEN_PURCHASE, TokenPurchaseRequest("k", keys=(wish,)).encode())
        assert TokenPurchaseAnswer.decode(answer.body).status is ProvisioningStatus.SUCCESS
        assert terminal.take(2) == 2
        assert isinstance(outcome(terminal, served, 2), Tek)
        later = KeyWish(key.key_domain_id + key.msk_id, 7, 24)
        answer = terminal.ask(TOKEN_PURCHASE, TokenPurchaseRequest("k2", keys=(later,)).encode())
        assert TokenPurchaseAnswer.decode(answer.body).status is ProvisioningStatus.ELEMENT_NON_EXISTENT


def test_a_registration_in_a_later_round_brings_the_keys_of_that_round() -> None:
    with second_round() as served, raw_terminal(served) as terminal:
        buys(terminal, served)
        assert terminal.take(2) == 2
        item = next(item for item in served.running.servers.selling.sales.catalogue.items if item.offer == "pass")
        terminal.ask(REGISTRATION, Registration((item.service_id,)).encode())
        assert terminal.take(2) == 2
        assert [(one.spe, one.counter) for one in pushed(terminal, 2)] == [(0x9, None), (0x4, None)]
        key = served.network.bsm.keys("news")[2]
        assert counter(terminal, key) == [3]
