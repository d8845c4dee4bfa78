"""Two cards of two subscribers, one of whom pays, at one network: from bootstrapping to TEKs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from card import CardProfile, memory_card
from card.crypto.secret import Secret
from card.spec.bcast.p1 import P1
from host_tools.content.captures.pcap import Datagram
from host_tools.headend.errors import HeadendError, VerificationError
from host_tools.headend.scenario.driver import play
from host_tools.headend.scenario.maker import make_bsda
from host_tools.headend.scenario.model import StkmBy
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.subscribers.personalised import subscriber_of
from host_tools.links.inprocess import InProcessLink
from host_tools.terminal.bcast import StkmOutcome, Tek
from host_tools.terminal.ltkm_receipt import LtkmVerdict
from host_tools.terminal.middleware import TerminalMiddleware

ONE = CardProfile.demo()
TWO = replace(
    ONE, iccid="8988101000000000002", usim=replace(ONE.usim, imsi="001010123456780", impi="", k=Secret(bytes(16)))
)


class Phone:
    """A card, its terminal, and its keys with the network."""

    def __init__(self, profile: CardProfile, network: UsimNetwork) -> None:
        self.network = network
        self.terminal = TerminalMiddleware(InProcessLink(memory_card(profile, strict=True)), tables=P1)
        self.terminal.connect(profile.pins.pin1.value)
        self.b_tid = self.terminal.bootstrap(network.bsf).b_tid
        self.srk = self.terminal.establish(network.bsm.naf_id)

    def take(self, ltkm: bytes) -> LtkmVerdict:
        receipt = self.terminal.deliver(ltkm)
        if receipt.taken:
            self.network.bsm.verify(ltkm, receipt.verification or b"")
        return receipt.verdict

    def tek(self, stkm: Datagram) -> StkmOutcome:
        return self.terminal.feed(stkm.payload)


@pytest.mark.parametrize("by", list(StkmBy))
def test_each_hears_what_it_has_a_right_to(by: StkmBy) -> None:
    network = UsimNetwork(
        replace(shipped_scenario("subscribe"), stkm_by=by),
        subscriber_of(ONE),
        tables=P1,
        others=[subscriber_of(TWO)],
    )
    payer, guest = Phone(ONE, network), Phone(TWO, network)
    assert payer.srk == network.bsm.srk(payer.b_tid) != network.bsm.srk(guest.b_tid) == guest.srk

    (news,) = network.deliveries
    ltkm = network.ltkm(news, payer.b_tid)
    assert payer.take(ltkm) is LtkmVerdict.TAKEN
    with pytest.raises(HeadendError, match="has no right to news"):
        network.ltkm(news, guest.b_tid)
    (sport,) = network.shop.buy("sport-month", guest.b_tid)
    assert guest.take(sport) is LtkmVerdict.TAKEN
    with pytest.raises(VerificationError):
        network.bsm.verify(ltkm, sport)

    bsda = make_bsda(network.scenario, network.back_end, P1)
    heard: dict[str, list[tuple[bool, bool]]] = {"news": [], "sport": []}
    for sent in play(network.scenario, bsda):
        if sent.what.datagram.destination.port == network.scenario.stkm.port:
            found = [phone.tek(sent.what.datagram) for phone in (payer, guest)]
            heard[sent.service].append((isinstance(found[0], Tek), isinstance(found[1], Tek)))
    assert set(heard["news"]) == {(True, False)}
    assert set(heard["sport"]) == {(False, True)}
    assert len(heard["news"]) == 12


def test_a_key_for_another_card_is_not_taken() -> None:
    network = UsimNetwork(shipped_scenario("subscribe"), subscriber_of(ONE), tables=P1, others=[subscriber_of(TWO)])
    payer, guest = Phone(ONE, network), Phone(TWO, network)
    ltkm = network.ltkm(network.deliveries[0], payer.b_tid)
    assert guest.take(ltkm) is not LtkmVerdict.TAKEN
    assert payer.take(ltkm) is LtkmVerdict.TAKEN
