"""Keys that a terminal asks for again: what sets a counter or brings tokens does so once; no 200 that sends nothing."""

from __future__ import annotations

import select
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from card.codec.bcast import LtkmManagement, Subtype, bcast_extension
from card.codec.mikey import MbmsKeyIds, MikeyMessage, Timestamp
from card.spec.bcast.p1 import P1
from host_tools.exchange.messages.msk import MskAnswer, MskName, MskRequest
from host_tools.exchange.messages.orders import ServiceRequest
from host_tools.exchange.messages.provisioning import PurchaseItem
from host_tools.exchange.messages.registration import Registration
from host_tools.exchange.procedures import MSK_REQUEST, REGISTRATION, SERVICE_REQUEST
from host_tools.headend.operating.happenings import Happenings
from host_tools.headend.operating.operator import Operator
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.on_air import ScenarioServices
from host_tools.headend.scenario.reading import parse_scenario, shipped_scenario
from host_tools.headend.scenario.wares import ITEM_PREFIX, ONCE, SERVICE_PREFIX
from host_tools.terminal.audit import Auditor
from host_tools.wire.system import SystemClock, SystemRng
from tests.support.flows import PUSH, RawTerminal, raw_terminal
from tests.support.head_end import HeadEnd, head_end

patient = pytest.mark.usefixtures("patient_bsm")
COUNTED = shipped_scenario("counted_playback")
NEWS = SERVICE_PREFIX + "news"
_PLAYBACKS = 0x6
# Two SEKs, and a policy for the first alone.
HALF = """
name = "half"
seed = "half 1"
start = 2026-11-21T12:00:00Z
duration = 3600.0

[network]
imsi = "001010123456789"

[stkm]
crypto_period = 600.0

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
at = -1.0
spe = 0x4
"""
_ROLL_OVER = """
[[event]]
at = 1800.0
kind = "sek-rollover"
service = "news"
"""


@pytest.fixture
def served() -> Iterator[HeadEnd]:
    with head_end(scenario=COUNTED) as found:
        yield found
        assert found.defects == 0


def names(served: HeadEnd, number: int = 0) -> MskName:
    key = served.network.bsm.keys("news")[number]
    return MskName(key.key_domain_id, key.msk_id)


def asks(terminal: RawTerminal, *wanted: MskName) -> list[int]:
    answer = terminal.ask(MSK_REQUEST, MskRequest(wanted).encode())
    return [code.status for code in MskAnswer.decode(answer.body).codes]


def management(ltkm: bytes) -> LtkmManagement:
    found = bcast_extension(MikeyMessage.decode(ltkm))
    assert found is not None
    assert found[0] == Subtype.LTKM_MANAGEMENT
    return LtkmManagement.decode(found[1], P1)


def pushed(terminal: RawTerminal) -> list[bytes]:
    return [one.octets for one in terminal.log.crossed if one.kind == PUSH]


def playbacks(terminal: RawTerminal, group: MbmsKeyIds) -> list[int | None]:
    """The counters of the card, by its own account."""
    policies = Auditor(terminal.card.usim).policies(group.key_domain_id, group.key_group)
    return [one.quantities.playback_counter for one in policies if one.spe == _PLAYBACKS]


@patient
def test_a_key_with_a_counter_comes_again_and_its_counter_stays(served: HeadEnd) -> None:
    with raw_terminal(served) as terminal:
        terminal.ask(REGISTRATION, Registration((NEWS,)).encode())
        assert terminal.take(2) == 2
        counters = {found.spe: found.counter for found in map(management, pushed(terminal))}
        assert counters == {0x4: None, _PLAYBACKS: 2}
        group = MikeyMessage.decode(pushed(terminal)[0]).key_ids()
        assert playbacks(terminal, group) == [2]
        for number, procedure in enumerate((MSK_REQUEST, REGISTRATION), 1):
            if procedure is MSK_REQUEST:
                assert asks(terminal, names(served)) == [200]
            else:
                terminal.ask(REGISTRATION, Registration((NEWS,)).encode())
            assert terminal.take(2) == 2
            again = pushed(terminal)[2 * number :]
            assert {found.spe: found.counter for found in map(management, again)} == {0x4: None, _PLAYBACKS: None}
            assert playbacks(terminal, group) == [2]


def test_while_the_counter_is_not_acknowledged_the_same_octets_go_out(served: HeadEnd) -> None:
    outbox = served.running.servers.books.outbox
    impi = served.network.subscriber.impi
    with raw_terminal(served) as terminal:
        terminal.ask(REGISTRATION, Registration((NEWS,)).encode())

        def waits() -> bool:
            return [one.order.credits for one in outbox.outstanding_of(impi)] == [True]

        assert terminal.settled(waits)
        lost = served.call(lambda: outbox.outstanding_of(impi)[0].ltkm)
        assert management(lost).counter == 2
        assert drained(terminal) == {lost}
        assert asks(terminal, names(served)) == [200]

        def is_whole() -> bool:
            return not (outbox.outstanding_of(impi) or outbox.orders(impi))

        assert terminal.settled(is_whole, taking=True)
        found = pushed(terminal)
        assert lost in found
        key, *more = found[found.count(lost) :]  # the key goes again, too, where its answer is late
        assert {management(one).counter for one in (key, *more)} == {None}
        assert MikeyMessage.decode(key).one(Timestamp).value > MikeyMessage.decode(lost).one(Timestamp).value
        assert playbacks(terminal, MikeyMessage.decode(key).key_ids()) == [2]


def drained(terminal: RawTerminal) -> set[bytes]:
    """Take what came without giving it to the card, at least one datagram: it was lost on its way."""
    found: set[bytes] = set()
    while not found:
        for opened in select.select(terminal._udp, (), (), 30.0)[0]:
            found.add(opened.recv(4096))
    return found


@patient
def test_a_key_that_nothing_brings_is_refused_by_its_code() -> None:
    plan: Scenario = parse_scenario(HALF, "half.toml")
    with head_end(scenario=plan) as served, raw_terminal(served) as terminal:
        terminal.ask(REGISTRATION, Registration((NEWS,)).encode())
        assert terminal.take(1) == 1
        assert asks(terminal, names(served), names(served, 1)) == [200, 403]
        assert terminal.take(1) == 1
        assert served.call(lambda: served.running.servers.books.outbox.orders(served.network.subscriber.impi)) == ()
        assert served.defects == 0


@patient
def test_a_key_whose_time_is_over_comes_again_to_whom_it_was_brought() -> None:
    """To anybody else it is refused: a registration opens nothing that was before it."""
    plan = parse_scenario(HALF.partition("[service.bcast]")[0] + _ROLL_OVER, "plain.toml")
    began = datetime.now(UTC) - timedelta(seconds=2000)
    with head_end(scenario=plan, services=ScenarioServices(plan, began)) as served, raw_terminal(served) as terminal:
        books, impi = served.running.servers.books, served.network.subscriber.impi
        terminal.ask(REGISTRATION, Registration((NEWS,)).encode())
        assert terminal.take(1) == 1
        first = served.network.bsm.keys("news")[0]
        assert asks(terminal, names(served)) == [403]

        def brought() -> None:
            with books.transactions.transaction():
                served.network.keys.note_brought(impi, first)

        served.call(brought)
        assert asks(terminal, names(served), names(served)) == [200]
        assert terminal.take(2) == 2
        # The newest one follows: the card would drop it for the next SEK, as the one that came first (TS 33.246 6.5.3).
        in_use = served.network.bsm.current_key("news")
        msk_ids = [MikeyMessage.decode(one).key_ids().msk_id for one in pushed(terminal)[-2:]]
        assert msk_ids == [first.msk_id, in_use.msk_id] != [in_use.msk_id, in_use.msk_id]
        served.call(lambda: served.network.keys.drop_sek(first))
        assert asks(terminal, names(served)) == [200]  # the second one, which is the first that is left
        assert asks(terminal, MskName(first.key_domain_id, first.msk_id)) == [403]
        assert served.defects == 0


@patient
def test_who_registers_again_keeps_the_next_sek_as_the_newest() -> None:
    """The current SEK comes again and would be the newest to the card; so the next one, which it has, follows."""
    plan = parse_scenario(HALF.partition("[service.bcast]")[0] + _ROLL_OVER, "plain.toml")
    with head_end(scenario=plan) as served, raw_terminal(served) as terminal:
        first, second = served.network.bsm.keys("news")
        terminal.ask(REGISTRATION, Registration((NEWS,)).encode())
        assert terminal.take(1) == 1
        assert asks(terminal, names(served, 1)) == [200]
        assert terminal.take(1) == 1
        terminal.ask(REGISTRATION, Registration((NEWS,)).encode())
        assert terminal.take(2) == 2
        msk_ids = [MikeyMessage.decode(one).key_ids().msk_id for one in pushed(terminal)]
        assert msk_ids == [first.msk_id, second.msk_id] * 2
        assert served.defects == 0


_TWO_OFFERS = (
    HALF.partition("[[delivery]]")[0]
    + """
[[delivery]]
service = "news"
offer = "later"
key = 2
spe = 0x4

[[delivery]]
service = "news"
offer = "now"
key = 1
spe = 0x4
"""
)


@patient
def test_items_with_several_seks_bring_them_in_the_order_of_their_use() -> None:
    """Whatever the terminal registers for first: the card would drop the next SEK as the one that came first."""
    with head_end(scenario=parse_scenario(_TWO_OFFERS, "offers.toml")) as served, raw_terminal(served) as terminal:
        first, second = served.network.bsm.keys("news")
        later, now = (PurchaseItem(ITEM_PREFIX + name, ONCE) for name in ("later", "now"))
        terminal.ask(SERVICE_REQUEST, ServiceRequest("both", (later, now)).encode())
        assert terminal.take(2) == 2
        terminal.ask(REGISTRATION, Registration((later.service_id, now.service_id)).encode())
        assert terminal.take(2) == 2
        msk_ids = [MikeyMessage.decode(one).key_ids().msk_id for one in pushed(terminal)]
        assert msk_ids == [first.msk_id, second.msk_id] * 2
        assert served.defects == 0


@patient
def test_what_an_operator_sends_again_keeps_the_next_sek_as_the_newest() -> None:
    plan = parse_scenario(HALF.partition("[service.bcast]")[0] + _ROLL_OVER, "plain.toml")
    with head_end(scenario=plan) as served, raw_terminal(served) as terminal:
        first, second = served.network.bsm.keys("news")
        terminal.ask(REGISTRATION, Registration((NEWS,)).encode())
        assert asks(terminal, names(served, 1)) == [200]
        assert terminal.take(2) == 2
        desk = Operator(served.network, served.running.servers, SystemClock(), SystemRng(), Happenings(SystemClock()))
        served.call(lambda: desk.push(served.network.subscriber.impi))
        served.call(served.running.port.flush)
        assert terminal.take(2) == 2
        msk_ids = [MikeyMessage.decode(one).key_ids().msk_id for one in pushed(terminal)]
        assert msk_ids == [first.msk_id, second.msk_id] * 2
        assert served.defects == 0
