"""A head-end and a terminal that reach each other by octets only, in one process."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from card import CardProfile, memory_card
from card.crypto.secret import Secret
from card.spec.bcast.p1 import P1
from card.spec.bcmcs_tables import DEFAULT_TAGS
from host_tools.exchange.digest.counts import NonceCounts
from host_tools.exchange.digest.nonces import Nonces
from host_tools.exchange.digest.server import DigestServer
from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.messages.trigger import Trigger
from host_tools.exchange.names import gba_realm
from host_tools.exchange.transport import Datagram, Endpoint, InProcessDatagrams, InProcessTransport, Peer
from host_tools.headend.bsm.ltkm_sender import LtkmSender
from host_tools.headend.bsm.memory import MemoryRights
from host_tools.headend.bsm.memory_books import memory_books
from host_tools.headend.bsm.orders import OrderMint
from host_tools.headend.clock import ManualClock
from host_tools.headend.http.accounts import Accounts, GbaAccounts, RkAccounts
from host_tools.headend.http.key_management import KeyManagement
from host_tools.headend.http.push import Pushes
from host_tools.headend.http.ua import UaServer
from host_tools.headend.http.ub import UbServer
from host_tools.headend.http.zn import ZnServer
from host_tools.headend.scenario.csim import CsimNetwork
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.network import Network
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.seeded import Seeded, SeededRng
from host_tools.headend.subscribers.personalised import subscriber_of
from host_tools.headend.subscribers.rk_subscriber import RkSubscriber
from host_tools.links.inprocess import InProcessLink
from host_tools.terminal.csim_middleware import CsimMiddleware
from host_tools.terminal.http.session import CsimSession, GbaSession, UaSession
from host_tools.terminal.http.ua import UaClient
from host_tools.terminal.http.ub import HttpBsf
from host_tools.terminal.ltkm_receipt import LtkmReceipt
from host_tools.terminal.middleware import TerminalMiddleware
from tests.support.key_port import KeyPort, LtkmTaker
from tests.unit.host_tools.headend.networks import small_scenario

PIN = CardProfile.demo().pins.pin1.value
TERMINAL = Peer("127.0.0.2", 40_000)
BSM_PLACE = Endpoint("127.0.0.1", 40_001)
ONE, TWO, UNBOUGHT = "urn:item:oneurn:data:1", "urn:item:bothurn:data:2", "urn:item:one"
"""serviceIDs: `ONE` is service one, `TWO` both services, `UNBOUGHT` exists and was not bought."""
CATALOGUE = {ONE: ("one",), TWO: ("one", "two"), UNBOUGHT: ("one",)}


@dataclass
class Wire:
    """What crossed: each request with its answer."""

    crossed: list[tuple[HttpRequest, HttpResponse]] = field(default_factory=list)
    octets: bytearray = field(default_factory=bytearray)

    def __call__(self, sent: bytes, received: bytes) -> None:
        self.octets += sent + received
        self.crossed.append((HttpRequest.decode(sent), HttpResponse.decode(received)))

    def statuses(self) -> list[int]:
        """Return the statuses since the last call, and forget them."""
        found = [response.status for _, response in self.crossed]
        self.crossed.clear()
        return found


class Bench:
    """The servers of a network, and a terminal before them."""

    def __init__(
        self, network: Network, accounts: dict[str, Accounts], identity: str, clock: ManualClock | None = None
    ) -> None:
        self.network = network
        self.clock = clock or ManualClock(network.scenario.start)
        self.identity = identity
        self.fqdn = network.scenario.network.bsm_fqdn
        self.wire = Wire()
        self.accounts = accounts
        self.books, self.rights = memory_books(), MemoryRights()
        sender = LtkmSender(network.bsm, OrderMint(network.bsm), self.books.outbox)
        self.pushes = Pushes(sender, self.books, BSM_PLACE, self.clock)
        for item in (ONE, TWO):
            self.rights.grant(identity, item)
        self.keys = KeyManagement(network.bsm, CATALOGUE, self.rights, self.pushes, self.books)
        self.ua = self.new_ua("first")
        self.receipts: list[LtkmReceipt] = []
        self.triggers: list[Trigger] = []

    def new_ua(self, secret: str) -> UaServer:
        """Return the BSM as after a restart with another secret for its nonces."""
        rng = SeededRng(Seeded(secret), "nonces")
        nonces = Nonces(Secret(rng.random_bytes(32)), rng, self.clock)
        digest = DigestServer(nonces, NonceCounts())
        return UaServer(self.fqdn, digest, self.accounts, self.keys, self.books.transactions)

    def handle(self, request: HttpRequest, peer: Peer) -> HttpResponse:
        """Answer as the BSM of now."""
        return self.ua.handle(request, peer)

    def client(self, session: UaSession) -> UaClient:
        """Return the terminal's client towards the BSM."""
        transport = InProcessTransport(self, TERMINAL, self.wire)
        return UaClient(transport, self.fqdn, session, SeededRng(Seeded("terminal"), "cnonce"))

    def key_port(self, middleware: LtkmTaker) -> KeyPort:
        """Return where key messages arrive at the terminal."""
        return KeyPort(middleware, self.receipts.append, self.triggers.append)

    def deliver(self, middleware: LtkmTaker) -> tuple[Datagram, ...]:
        """Send what is due and carry it to the card and back; return what crossed."""
        net = InProcessDatagrams({Endpoint(TERMINAL.address, 0): self.key_port(middleware), BSM_PLACE: self.pushes})
        for datagram in self.pushes.due():
            net.send(datagram)
        carried = net.deliver()
        assert net.lost == 0
        return carried


class UsimBench(Bench):
    """With a USIM."""

    network: UsimNetwork

    def __init__(self, scenario: Scenario | None = None) -> None:
        profile = CardProfile.demo()
        chosen = scenario or small_scenario()
        clock = ManualClock(chosen.start)
        network = UsimNetwork(chosen, subscriber_of(profile), clock, tables=P1)
        naf_id = network.bsm.naf_id
        accounts: dict[str, Accounts] = {
            gba_realm(chosen.network.bsm_fqdn): GbaAccounts(network.subscribers, naf_id, clock)
        }
        super().__init__(network, accounts, network.subscriber.impi, clock)
        rng = SeededRng(Seeded("bsf"), "opaque")
        self.ub = UbServer(network.bsf, chosen.network.bsf_name, rng, clock)
        self.zn = ZnServer(network.bsf)
        self.middleware = TerminalMiddleware(InProcessLink(memory_card(profile, strict=True)), tables=P1)
        self.middleware.connect(PIN)
        self.bsf = self.new_bsf()
        self.session = GbaSession(self.middleware, self.bsf, self.fqdn, clock.now)
        self.terminal = self.client(self.session)

    def new_bsf(self) -> HttpBsf:
        """Return the BSF as the terminal reaches it."""
        transport = InProcessTransport(self.ub, TERMINAL, self.wire)
        return HttpBsf(transport, self.network.scenario.network.bsf_name, SeededRng(Seeded("terminal"), "ub"))


class CsimBench(Bench):
    """With a CSIM."""

    def __init__(self, subscriber: RkSubscriber, profile: CardProfile) -> None:
        scenario = small_scenario()
        network = CsimNetwork(
            replace(scenario, network=replace(scenario.network, imsi=subscriber.imsi)), subscriber, tables=P1
        )
        super().__init__(network, {scenario.network.bsm_fqdn: RkAccounts(network.home)}, subscriber.nai)
        self.middleware = CsimMiddleware(InProcessLink(memory_card(profile, strict=True)), tables=P1, tags=DEFAULT_TAGS)
        self.middleware.connect(profile.pins.pin1.value)
        self.terminal = self.client(CsimSession(self.middleware, self.fqdn))
