"""The head-end and the card agree: GBA, resynchronisation, LTKMs, withdrawal, further keys, the recorded STKMs."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from card import CardProfile, memory_card
from card.codec.gba_push import SealedGpi
from card.crypto.gba_push import GPI_NAF_IDS, GpiKeys, open_gpi
from card.crypto.secret import Secret
from card.profile.usim import GbaRes
from card.spec.bcast.p1 import P1
from card.spec.status import SW
from host_tools.apdu.response import StatusError
from host_tools.content.captures.pcap import CaptureReader
from host_tools.headend.bsm.books import Route
from host_tools.headend.bsm.ltkm_sender import LtkmSender
from host_tools.headend.bsm.memory_books import MemoryOutbox
from host_tools.headend.bsm.orders import Order, OrderMint
from host_tools.headend.errors import HeadendError
from host_tools.headend.scenario.seeded_keys import traffic_key
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.service_keys import ServiceKey
from host_tools.headend.stkm import StkmContent, seal_stkm
from host_tools.headend.subscribers.personalised import subscriber_of
from host_tools.links.inprocess import InProcessLink
from host_tools.terminal.aka import GbaResponse
from host_tools.terminal.bcast import StkmOutcome, Tek
from host_tools.terminal.middleware import TerminalMiddleware
from tests.unit.host_tools.headend.networks import small_scenario

PIN = Secret(b"1234")


def fresh_network() -> UsimNetwork:
    return UsimNetwork(small_scenario(), subscriber_of(CardProfile.demo()), tables=P1)


@pytest.fixture
def terminal() -> Iterator[TerminalMiddleware]:
    middleware = TerminalMiddleware(InProcessLink(memory_card(CardProfile.demo(), strict=True)), tables=P1)
    middleware.connect(PIN)
    yield middleware
    middleware.close()


def subscribe(terminal: TerminalMiddleware, network: UsimNetwork) -> str:
    """Bootstrap, establish SMK and SRK, check that both sides hold the same SRK, and return the B-TID."""
    b_tid = terminal.bootstrap(network.bsf).b_tid
    assert terminal.establish(network.bsm.naf_id) == network.bsm.srk(b_tid)
    return b_tid


def deliver(terminal: TerminalMiddleware, network: UsimNetwork, ltkm: bytes) -> None:
    network.bsm.verify(ltkm, terminal.deliver(ltkm).verification or b"")


def feed(terminal: TerminalMiddleware, key: ServiceKey, mtk_id: int, counter: int) -> StkmOutcome:
    traffic = traffic_key(small_scenario(), key, mtk_id)
    content = StkmContent(key.traffic_key_ids(mtk_id), traffic.tek, traffic.salt, counter)
    return terminal.feed(seal_stkm(content, key.key, key.csb_id, key.rand))


def test_the_card_gets_every_tek_of_a_recording(terminal: TerminalMiddleware) -> None:
    network = fresh_network()
    b_tid = subscribe(terminal, network)
    for delivery in network.deliveries:
        deliver(terminal, network, network.ltkm(delivery, b_tid))
    fed: list[bytes] = []
    teks: set[bytes] = set()
    for datagram in CaptureReader(io.BytesIO(network.recording().pcap)):
        if datagram.destination.port == 2269 and datagram.payload not in fed:
            fed.append(datagram.payload)
            outcome = terminal.feed(datagram.payload)
            assert isinstance(outcome, Tek)
            teks.add(outcome.key.reveal())
    assert teks == {key.tek.reveal() for key in network.truth.teks.values()}


def test_a_network_that_forgot_its_numbers_resynchronises(terminal: TerminalMiddleware) -> None:
    assert not terminal.bootstrap(fresh_network().bsf).resynchronised
    network = fresh_network()
    assert terminal.bootstrap(network.bsf).resynchronised
    assert not terminal.bootstrap(network.bsf).resynchronised


def test_a_withdrawn_key_gives_no_tek(terminal: TerminalMiddleware) -> None:
    network = fresh_network()
    b_tid = subscribe(terminal, network)
    key = network.bsm.current_key("one")
    deliver(terminal, network, network.bsm.ltkm("one", b_tid))
    assert isinstance(feed(terminal, key, 1, 1), Tek)
    deliver(terminal, network, network.bsm.withdrawal("one", b_tid))
    assert not isinstance(feed(terminal, key, 1, 2), Tek)


@pytest.mark.norm("62")
def test_a_pull_moves_the_counter_and_nothing_else(terminal: TerminalMiddleware) -> None:
    """TS 31.102 clause 7.1.1.6."""
    network = fresh_network()
    b_tid = subscribe(terminal, network)
    key = network.bsm.current_key("one")
    deliver(terminal, network, network.bsm.ltkm("one", b_tid))
    assert terminal.deliver(network.bsm.pull("one", b_tid)).verification is None
    assert isinstance(feed(terminal, key, 1, 1), Tek)
    deliver(terminal, network, network.bsm.ltkm("one", b_tid))


@pytest.mark.norm("59", "62")
def test_new_limits_alone(terminal: TerminalMiddleware) -> None:
    """TS 33.246 clause 6.5.3: the key stays, and the first MTK ID is above the lower limit."""
    network = fresh_network()
    b_tid = subscribe(terminal, network)
    key = network.bsm.current_key("one")
    deliver(terminal, network, network.bsm.ltkm("one", b_tid))
    deliver(terminal, network, network.bsm.validity_update(b_tid, key, 7, 8))
    outcomes = [isinstance(feed(terminal, key, mtk_id, mtk_id), Tek) for mtk_id in (6, 7, 8, 9)]
    assert outcomes == [False, True, True, False]


@pytest.mark.norm("62")
def test_deregistration_takes_what_the_terminal_left(terminal: TerminalMiddleware) -> None:
    """TS 33.246 clause 6.3.2.1B."""
    network = fresh_network()
    b_tid = subscribe(terminal, network)
    one, two = network.bsm.current_key("one"), network.bsm.current_key("two")
    for service in ("one", "two"):
        deliver(terminal, network, network.bsm.ltkm(service, b_tid))
    for ltkm in network.bsm.deregister(b_tid, ["one", "two"], ["two"]):
        deliver(terminal, network, ltkm)
    assert not isinstance(feed(terminal, one, 1, 1), Tek)
    assert isinstance(feed(terminal, two, 1, 1), Tek)


@pytest.mark.norm("12", "62")
def test_a_key_under_the_older_muk_is_told_and_the_new_one_works(terminal: TerminalMiddleware) -> None:
    """TS 33.246 clause 6.1: the BM-SC has not heard of the new B-TID yet."""
    network = fresh_network()
    first = subscribe(terminal, network)
    deliver(terminal, network, network.bsm.ltkm("one", first))
    second = subscribe(terminal, network)
    with pytest.raises(StatusError) as caught:
        terminal.usim.msk_update(network.bsm.pull("one", first))
    assert caught.value.sw == SW.KEY_FRESHNESS_FAILURE
    deliver(terminal, network, network.bsm.ltkm("two", second))
    assert isinstance(feed(terminal, network.bsm.current_key("two"), 1, 1), Tek)
    assert isinstance(feed(terminal, network.bsm.current_key("one"), 1, 1), Tek)


@pytest.mark.norm("62")
def test_a_lost_answer_is_made_up_for(terminal: TerminalMiddleware) -> None:
    """TS 33.246 clause 6.4.3: sent again with the next T, the card takes it once more and answers."""
    network = fresh_network()
    b_tid = subscribe(terminal, network)
    outbox = MemoryOutbox()
    sender, identity = LtkmSender(network.bsm, OrderMint(network.bsm), outbox), network.subscriber.impi
    sender.order(identity, Route("127.0.0.2", b_tid), [Order.for_key("one"), Order.for_key("two")], 0.0)

    def step() -> bytes:
        line = outbox.line(identity)
        assert line is not None
        (sent,) = sender.step(line, 0.0)
        return sent

    terminal.deliver(step())
    sender.answered(terminal.deliver(step()).verification or b"", 0.0)
    sender.answered(terminal.deliver(step()).verification or b"", 0.0)
    assert isinstance(feed(terminal, network.bsm.current_key("two"), 1, 1), Tek)


def test_keys_that_were_pushed_carry_an_ltkm(terminal: TerminalMiddleware) -> None:
    """TS 33.223 clause 5.1.4: the terminal sends nothing, and the card answers an LTKM to `RAND@naf`."""
    network, usim, impi = fresh_network(), terminal.usim, terminal.identity.impi
    pushed = network.naf.push(impi, network.bsm.naf_id, timedelta(hours=1), "p1@bmsc")
    message = SealedGpi.decode(pushed.gpi)
    assert isinstance(usim.gba_bootstrap(message.rand, message.autn), GbaResponse)
    names = [usim.gba_naf_derivation(name, impi.encode()) for name in GPI_NAF_IDS]
    gpi = open_gpi(pushed.gpi, GpiKeys.of_naf_keys(*names))
    usim.update_gbabp(gpi.rand, pushed.downlink_id, gpi.expires.strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert usim.gba_naf_derivation(gpi.naf_id, impi.encode()) == pushed.keys.me_key
    terminal.deliver(network.bsm.ltkm("one", pushed.downlink_id, verification_requested=False))
    assert isinstance(feed(terminal, network.bsm.current_key("one"), 1, 1), Tek)


@pytest.mark.norm("27")
@pytest.mark.parametrize("size", [16, 24, 32])
def test_a_card_takes_keys_of_three_sizes(terminal: TerminalMiddleware, size: int) -> None:
    """TS 33.246 clause 4.2."""
    scenario = small_scenario(**{'id = "one"': f'id = "one"\nsek_size = {size}'})
    network = UsimNetwork(scenario, subscriber_of(CardProfile.demo()), tables=P1)
    b_tid = subscribe(terminal, network)
    key = network.bsm.current_key("one")
    assert len(key.key) == size
    deliver(terminal, network, network.bsm.ltkm("one", b_tid))
    assert isinstance(feed(terminal, key, 1, 1), Tek)


@pytest.mark.norm("1", "2")
def test_a_card_from_before_the_flipped_res_needs_a_bsf_that_knows() -> None:
    """TS 33.220 clause 5.3.2; `[usim.gba] res` of a profile, `network.plain_res` of a scenario."""
    profile = CardProfile.demo()
    old = replace(profile, usim=replace(profile.usim, gba=replace(profile.usim.gba, res=GbaRes.PLAIN)))
    middleware = TerminalMiddleware(InProcessLink(memory_card(old, strict=True)), tables=P1)
    middleware.connect(PIN)
    with pytest.raises(HeadendError, match="RES not flipped"):
        middleware.bootstrap(fresh_network().bsf)
    knows = small_scenario(**{"network.imsi": "network.plain_res = true\nnetwork.imsi"})
    network = UsimNetwork(knows, subscriber_of(profile), session="later", tables=P1)
    assert middleware.bootstrap(network.bsf).b_tid.endswith("3gppnetwork.org")
    middleware.close()


def test_a_further_key_works_beside_the_last(terminal: TerminalMiddleware) -> None:
    network = fresh_network()
    b_tid = subscribe(terminal, network)
    last, further = network.bsm.keys("two")[-1], network.bsm.rekey("two")
    for key in (last, further):
        deliver(terminal, network, network.bsm.ltkm("two", b_tid, key))
    assert isinstance(feed(terminal, last, last.last_mtk_id, 1), Tek)
    assert isinstance(feed(terminal, further, further.first_mtk_id, 2), Tek)
    assert not isinstance(feed(terminal, further, last.last_mtk_id, 3), Tek)
