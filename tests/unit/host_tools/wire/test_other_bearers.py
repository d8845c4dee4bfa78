"""Pulls as short messages, triggers, and a CSIM: the client on real sockets where it is not the usual way."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from card import CardProfile
from host_tools.exchange.messages.msk import MskAnswer, MskName
from host_tools.exchange.messages.provisioning import PurchaseItem
from host_tools.exchange.messages.sms_deliver import SmsDeliver
from host_tools.exchange.messages.sms_push import SmsForm, SmsPush
from host_tools.exchange.messages.trigger import Trigger
from host_tools.exchange.transport import Datagram, Endpoint, InProcessTransport
from host_tools.sessions.csim import csim_subscriber
from host_tools.terminal.client.events import Arrived, ErrandDone, LtkmHandled, News, TriggerTaken
from host_tools.terminal.client.machine import Rules
from host_tools.terminal.client.way import Bsm
from host_tools.terminal.client.wishes import Register, RequestKeys
from host_tools.terminal.identities import csim_online, usim_online
from host_tools.terminal.middleware import TerminalMiddleware
from host_tools.terminal.online import OnlineTerminal
from host_tools.terminal.reach import reach_network
from host_tools.wire.key_sockets import KeySockets
from host_tools.wire.system import SystemClock, SystemRng
from tests.support.head_end import PATIENCE, HeadEnd, PatientTerminal, free_address, fresh_card, head_end
from tests.support.wire import TERMINAL, CsimBench
from tests.unit.host_tools.wire.test_whole_run import ONE, TWO

pytestmark = pytest.mark.usefixtures("patient_bsm")
SMS_PORT = 5055


@pytest.fixture
def served() -> Iterator[HeadEnd]:
    with head_end() as found:
        yield found
        assert found.defects == 0


def online(served: HeadEnd, middleware: TerminalMiddleware, address: str, news: list[News]) -> OnlineTerminal:
    """Return a terminal that takes short messages, too."""
    clock, rng = SystemClock(), SystemRng()
    reach = reach_network(served.running.network, address)
    card = usim_online(middleware, reach.to_bsf(middleware.identity.home_domain, rng), reach.bsm.fqdn, clock)
    return PatientTerminal(
        card,
        reach.bsm,
        reach.to_bsm(),
        KeySockets(address, SMS_PORT),
        clock,
        rng,
        rules=Rules(chases=False),
        patience=PATIENCE,
        sms_port=SMS_PORT,
        on_news=news.append,
        rests=served.rests,
    )


def send(address: str, port: int, *payloads: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        for payload in payloads:
            other.sendto(payload, (address, port))


@pytest.mark.parametrize("form", list(SmsForm))
def test_a_pull_by_short_message_is_answered_by_http(served: HeadEnd, form: SmsForm) -> None:
    address, news = free_address(), list[News]()
    with online(served, fresh_card(), address, news) as terminal:
        b_tid = terminal.register([ONE]).b_tid
        news.clear()
        pull = served.call(lambda: served.network.bsm.pull("one", b_tid))
        parts = SmsPush(form, pull).encode(reference=3)
        assert len(parts) == 2
        send(address, SMS_PORT, *(SmsDeliver(part).encode() for part in reversed(parts)))
        assert [receipt.taken for receipt in terminal.listen()] == [True]
    asked = [one.outcome.answer for one in news if isinstance(one, ErrandDone)]
    assert isinstance(asked[0], MskAnswer)
    assert [code.status for code in asked[0].codes] == [200]


def test_a_trigger_leads_to_a_registration_at_the_bsm_that_is_known(served: HeadEnd) -> None:
    address, news = free_address(), list[News]()
    with online(served, fresh_card(), address, news) as terminal:
        terminal.register([ONE])
        news.clear()
        fqdn = served.network.scenario.network.bsm_fqdn
        stranger = Trigger("t-0", "http://evil.example.org/", (PurchaseItem(TWO),))
        trigger = Trigger("t-1", f"http://{fqdn}/", (PurchaseItem(TWO),))
        send(address, 4359, b"<x", stranger.encode(), trigger.encode(), trigger.encode())
        assert len(terminal.listen()) == 2
        assert terminal.journal_items == (ONE, TWO)
    assert [one.service_ids for one in news if isinstance(one, TriggerTaken)] == [(TWO,)]
    assert [one.outcome.wish for one in news if isinstance(one, ErrandDone)] == [Register((TWO,))]


def test_a_csim_answers_by_nai_and_takes_its_keys() -> None:
    profile = CardProfile.demo("csim")
    bench, news, address = CsimBench(csim_subscriber(profile), profile), list[News](), free_address()
    card = csim_online(bench.middleware, bench.fqdn)
    transport = InProcessTransport(bench, TERMINAL, bench.wire)
    key = bench.network.bsm.keys("one")[0]
    name = MskName(key.key_domain_id, key.msk_id)
    with OnlineTerminal(
        card, Bsm(bench.fqdn), transport, KeySockets(address), SystemClock(), SystemRng(),
        rules=Rules(registers=False, chases=False), on_news=news.append,
    ) as terminal:  # fmt: skip
        terminal.start()  # a (R-)UIM does not register
        assert bench.wire.statuses() == []
        outcome = terminal.ask(RequestKeys((name,)))
        assert outcome.b_tid == bench.identity
        assert bench.wire.statuses() == [401, 200]
        # Nothing was bought, so the key is refused; one that comes all the same is taken.
        assert isinstance(outcome.answer, MskAnswer)
        ltkm = bench.network.bsm.ltkm("one", bench.identity)
        terminal.tell(Arrived(Datagram(Endpoint("127.0.0.1", 1), Endpoint(address, 2269), ltkm)))
    assert [one.receipt.taken for one in news if isinstance(one, LtkmHandled)] == [True]
