"""Secure channels through a real pcscd and vpcd: every kind, both protocols, and the whole job inside one."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from yubikit.core import TRANSPORT
from yubikit.core.smartcard import ApduError, SmartCardConnection, SmartCardProtocol
from yubikit.core.smartcard.scp import KeyRef, Scp03KeyParams, ScpKid, StaticKeys

from card import CardProfile, memory_card
from card.codec.mikey import MikeyMessage
from card.crypto.local_key import LocalKeyInputs
from card.crypto.secret import Secret
from card.profile.schema import Transport
from card.spec.bcast.p1 import P1
from card.spec.bcmcs_tables import DEFAULT_TAGS
from card.spec.sac_tables import Kind
from host_tools.apdu.client import ApduClient
from host_tools.content.captures.pcap import open_capture
from host_tools.headend.scenario.csim import CsimNetwork
from host_tools.headend.scenario.network import Network
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.headend.scenario.truth import TekName
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.subscribers.personalised import subscriber_of
from host_tools.links.pcsc import PcscLink
from host_tools.sessions.csim import csim_subscriber
from host_tools.sessions.keys import keys_from_network, keys_to_deliver
from host_tools.terminal.bcast import Refusal, RefusalReason, Tek
from host_tools.terminal.csim import CSIM_AID_PREFIX
from host_tools.terminal.csim_middleware import CsimMiddleware
from host_tools.terminal.key_delivery import KeyDelivery
from host_tools.terminal.key_source import KeySource
from host_tools.terminal.middleware import TerminalMiddleware
from host_tools.terminal.sac.association import Credentials
from host_tools.terminal.sac.link import SacLink
from host_tools.terminal.sac.local_key import establish_local_key
from tests.integration.conftest import Desk
from tests.oracle.sac import LocalKey
from tests.support.network import BM_SC, bootstrap, deliver, derive_naf_keys, stkm
from tests.support.profiles import AID, PIN1
from tests.support.sac import CREDENTIALS, KEY_ENC, KEY_MAC, TERMINAL, TERMINAL_APPLI, sac_card_with_msk, sac_profile
from tests.support.testcard import TestCard, pin_bytes, tlv

pytestmark = pytest.mark.pcscd

KINDS = (Kind.SECURED_APDU, Kind.TLS)
PIN = Secret(PIN1.encode())
TEK = bytes(range(0xB0, 0xC0))
STATUS = bytes.fromhex("80F2000C")


@pytest.fixture(params=[Transport.T0, Transport.T1], ids=["T0", "T1"])
def demo(request: pytest.FixtureRequest) -> CardProfile:
    """The demo card with secure channels and the strict policy."""
    return replace(CardProfile.demo(), sac=sac_profile().sac, transport=request.param)


@pytest.fixture(params=KINDS, ids=lambda kind: kind.value)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


def test_the_whole_job_inside(insert: Desk, demo: CardProfile, kind: Kind, tmp_path: Path) -> None:
    network = UsimNetwork(shipped_scenario("demo"), subscriber_of(demo), tables=P1)
    link = SacLink(PcscLink.open(insert(memory_card(demo, strict=True))), CREDENTIALS, kind=kind, rekey_after=40)
    with closing(TerminalMiddleware(link, tables=P1)) as middleware:
        middleware.connect(demo.pins.pin1.value)
        delivery = keys_from_network(middleware, network)
        assert teks_of(middleware, delivery, network, tmp_path) == teks_sent(network)


def test_the_whole_job_inside_with_a_csim(insert: Desk, kind: Kind, tmp_path: Path) -> None:
    profile = replace(CardProfile.demo("csim"), sac=sac_profile().sac)
    network = CsimNetwork(shipped_scenario("demo"), csim_subscriber(profile), tables=P1)
    pcsc = PcscLink.open(insert(memory_card(profile, strict=True)))
    link = SacLink(pcsc, CREDENTIALS, kind=kind, aid=CSIM_AID_PREFIX, rekey_after=40)
    with closing(CsimMiddleware(link, tables=P1, tags=DEFAULT_TAGS)) as middleware:
        nai = middleware.connect(profile.pins.pin1.value).nai
        delivery = keys_to_deliver(middleware, network, nai)
        assert teks_of(middleware, delivery, network, tmp_path) == teks_sent(network)


def teks_of(middleware: KeySource, delivery: KeyDelivery, network: Network, folder: Path) -> dict[TekName, Tek]:
    """Feed every STKM of the broadcast and collect the TEKs."""
    capture, port = folder / "broadcast.pcap", network.scenario.stkm.port
    capture.write_bytes(network.recording().pcap)
    teks: dict[TekName, Tek] = {}
    with open_capture(capture) as datagrams:
        for datagram in datagrams:
            if datagram.destination.port != port:
                continue
            delivery.deliver_until(datagram.timestamp)
            ids = MikeyMessage.decode(datagram.payload).key_ids()
            outcome = middleware.feed(datagram.payload)
            if isinstance(outcome, Tek):
                teks[TekName(ids.key_domain_id, ids.msk_id, ids.mtk_id or b"")] = outcome
    return teks


def teks_sent(network: Network) -> dict[TekName, Tek]:
    """Return what the head-end knows."""
    return {name: Tek(sent.tek, sent.salt) for name, sent in network.truth.teks.items()}


def test_in_clear_there_is_no_tek(insert: Desk) -> None:
    card, _, message = sac_card_with_msk()
    with closing(TerminalMiddleware(PcscLink.open(insert(card.card)), tables=P1)) as middleware:
        middleware.connect(PIN)
        outcome = middleware.feed(stkm(message, 1).build())
        assert isinstance(outcome, Refusal)
        assert (outcome.reason, outcome.sw) == (RefusalReason.SECURE_CHANNEL_NEEDED, 0x6989)


def test_the_link_comes_back_after_a_reset(insert: Desk, kind: Kind) -> None:
    card, _, message = sac_card_with_msk()
    pcsc = PcscLink.open(insert(card.card))
    with closing(TerminalMiddleware(SacLink(pcsc, CREDENTIALS, kind=kind), tables=P1)) as middleware:
        middleware.connect(PIN)
        assert isinstance(middleware.feed(stkm(message, 1).build()), Tek)
        pcsc.reset()
        middleware.connect(PIN)
        assert isinstance(middleware.feed(stkm(message, 2).build()), Tek)


def test_a_channel_on_a_local_key(insert: Desk, kind: Kind) -> None:
    card, session, message = sac_card_with_msk()
    iccid = bytes.fromhex("980001010000000010F9")
    inputs = LocalKeyInputs(session.b_tid, BM_SC, TERMINAL, iccid, TERMINAL_APPLI, AID, b"r" * 16, 9)
    oracle = LocalKey(session.muk(), session.b_tid, BM_SC, TERMINAL, iccid, TERMINAL_APPLI, AID, b"r" * 16, 9)
    pcsc = PcscLink.open(insert(card.card))
    clear = TerminalMiddleware(pcsc, tables=P1)
    clear.connect(PIN)
    establish_local_key(ApduClient(pcsc), Secret(oracle.key), inputs)
    credentials = Credentials(TERMINAL, TERMINAL_APPLI, ks_local=Secret(oracle.key))
    with closing(TerminalMiddleware(SacLink(pcsc, credentials, kind=kind), tables=P1)) as middleware:
        middleware.connect(PIN)
        assert isinstance(middleware.feed(stkm(message, 1).build()), Tek)


# --- SCP03


class YubikitConnection(SmartCardConnection):
    """yubikit's port over a PC/SC link."""

    def __init__(self, link: PcscLink) -> None:
        self.link = link

    @property
    def transport(self) -> TRANSPORT:
        return TRANSPORT.USB

    def send_and_receive(self, apdu: bytes) -> tuple[bytes, int]:
        response = self.link.transmit(apdu)
        return response[:-2], int.from_bytes(response[-2:], "big")

    def close(self) -> None:
        self.link.close()


@pytest.fixture(params=[Transport.T0, Transport.T1], ids=["T0", "T1"])
def transport(request: pytest.FixtureRequest) -> Transport:
    found: Transport = request.param
    return found


def test_yubikit_gets_a_tek(insert: Desk, transport: Transport) -> None:
    card = TestCard.new(replace(sac_profile(), transport=transport)).ready()
    session = bootstrap(card)
    derive_naf_keys(card)
    deliver(card, session.ltkm())
    with closing(PcscLink.open(insert(card.card))) as link:
        protocol = SmartCardProtocol(YubikitConnection(link), ins_send_remaining=0xC0)
        protocol.init_scp(Scp03KeyParams(KeyRef(ScpKid.SCP03, 0x30), StaticKeys(KEY_ENC, KEY_MAC)))
        protocol.send_apdu(0, 0xA4, 0x04, 0x0C, AID)
        protocol.send_apdu(0, 0x20, 0, 1, pin_bytes(PIN1))
        data = tlv(0x53, b"\x02" + stkm(session.ltkm(), 1).build())
        with pytest.raises(ApduError) as announced:
            protocol.send_apdu(0, 0x89, 0x80, 0x85, data)
        assert announced.value.sw == 0x62F3
        assert protocol.send_apdu(0, 0x89, 0xA0, 0x85)[3:19] == TEK
        assert link.transmit(STATUS) == b"\x90\x00"
