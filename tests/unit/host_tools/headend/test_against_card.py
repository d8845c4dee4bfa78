"""The head-end and the card agree: GBA, resynchronisation, LTKMs, withdrawal, further keys, the recorded STKMs."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from card import CardProfile, memory_card
from card.crypto.secret import Secret
from card.spec.bcast_p1 import P1
from host_tools.headend.network import TestNetwork
from host_tools.headend.service_keys import ServiceKey, traffic_key
from host_tools.headend.stkm import StkmContent, seal_stkm
from host_tools.headend.subscriber import subscriber_of
from host_tools.links.inprocess import InProcessLink
from host_tools.media.pcap import CaptureReader
from host_tools.terminal.bcast import StkmOutcome, Tek
from host_tools.terminal.middleware import TerminalMiddleware
from tests.unit.host_tools.headend.networks import small_scenario

PIN = Secret(b"1234")


def fresh_network() -> TestNetwork:
    return TestNetwork(small_scenario(), subscriber_of(CardProfile.demo()), tables=P1)


@pytest.fixture
def terminal() -> Iterator[TerminalMiddleware]:
    middleware = TerminalMiddleware(InProcessLink(memory_card(CardProfile.demo(), strict=True)), tables=P1)
    middleware.connect(PIN)
    yield middleware
    middleware.close()


def subscribe(terminal: TerminalMiddleware, network: TestNetwork) -> str:
    """Bootstrap, establish SMK and SRK, check that both sides hold the same SRK, and return the B-TID."""
    b_tid = terminal.bootstrap(network.bsf).b_tid
    assert terminal.establish(network.bsm.naf_id) == network.bsm.srk(b_tid)
    return b_tid


def deliver(terminal: TerminalMiddleware, network: TestNetwork, ltkm: bytes) -> None:
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


def test_a_further_key_works_beside_the_last(terminal: TerminalMiddleware) -> None:
    network = fresh_network()
    b_tid = subscribe(terminal, network)
    last, further = network.bsm.keys("two")[-1], network.bsm.rekey("two")
    for key in (last, further):
        deliver(terminal, network, network.bsm.ltkm("two", b_tid, key))
    assert isinstance(feed(terminal, last, last.last_mtk_id, 1), Tek)
    assert isinstance(feed(terminal, further, further.first_mtk_id, 2), Tek)
    assert not isinstance(feed(terminal, further, last.last_mtk_id, 3), Tek)
