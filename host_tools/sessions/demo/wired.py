"""The demo on real wires: head-end and terminal reach each other over HTTP and UDP on this computer alone.

The terminal is that of `bcast-uicc terminal online`, the head-end that of `headend serve`, in a thread of its own. Its
clock begins with the broadcast, which is replayed as fast as it goes. The terminal asks for each key when it is due.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from time import monotonic

from card import CardProfile
from card.spec.bcmcs_tables import DEFAULT_TAGS
from host_tools.exchange.errors import TransportError
from host_tools.exchange.messages.msk import MskName
from host_tools.exchange.messages.orders import ServiceRequest
from host_tools.exchange.messages.provisioning import PurchaseItem
from host_tools.headend.scenario.parts import memory_parts
from host_tools.headend.scenario.schedule import Delivery
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.scenario.wares import EVERYTHING, MONTH
from host_tools.headend.subscribers.memory import MemorySubscribers
from host_tools.headend.subscribers.personalised import subscriber_of
from host_tools.links.base import Link
from host_tools.sessions.csim import csim_subscriber
from host_tools.sessions.demo.crossed import Crossed, WatchedLink, WatchedTransport
from host_tools.sessions.demo.csim import connect_csim
from host_tools.sessions.demo.job import Deliveries, GatedFeed, Outcome, demo_scenario
from host_tools.sessions.demo.usim import connect_usim
from host_tools.sessions.errors import SessionError
from host_tools.sessions.events import Events, StepDone
from host_tools.sessions.online.asking import new_request_id
from host_tools.sessions.online.opening import online_errors
from host_tools.sessions.serve_beside import ServedBeside, served_beside
from host_tools.terminal.client.machine import Rules
from host_tools.terminal.client.way import Bsm
from host_tools.terminal.client.wishes import Order, Register, RequestKeys, Wish
from host_tools.terminal.csim_middleware import CsimMiddleware
from host_tools.terminal.http.ub import HttpBsf
from host_tools.terminal.identities import OnlineCard, csim_online, usim_online
from host_tools.terminal.ltkm_receipt import LtkmReceipt
from host_tools.terminal.middleware import TerminalMiddleware
from host_tools.terminal.online import OnlineTerminal, Patience, answer_of
from host_tools.wire.http_client import HttpTransport
from host_tools.wire.key_sockets import KeySockets
from host_tools.wire.network_file import Place
from host_tools.wire.system import ShiftedClock, SystemRng

_PATIENCE = Patience(first=20.0, quiet=0.3)
_MORE = Patience(first=0.05, quiet=0.05)
"""For what is still to come, between two looks at the BSM."""
_MOST_TERMINALS = 250
BSF, BSM = "BSF", "BSM"
ALL = PurchaseItem(EVERYTHING, MONTH)
"""All services of the demo for a month, which is what the CSIM buys."""


class WiredSide:
    """A card and its network. A USIM registers; a CSIM, which does not, buys what it wants to receive."""

    def __init__(self, *, csim: bool, patience: Patience = _PATIENCE) -> None:
        """Take which application of the card is used, and how long to wait for LTKMs."""
        scenario = demo_scenario()
        self._csim = csim
        self._patience = patience
        self.profile = CardProfile.demo("csim") if csim else CardProfile.demo()
        self.tables = self.profile.bcast.build_tables()
        self._clock = ShiftedClock(scenario.start)
        subscriber = subscriber_of(self.profile)
        known = MemorySubscribers([subscriber], [csim_subscriber(self.profile)] if csim else [])
        self.network = UsimNetwork(
            scenario, subscriber, self._clock, tables=self.tables, parts=memory_parts(scenario, known), rng=SystemRng()
        )
        self._crossed = Crossed()
        self._served: ServedBeside | None = None

    def begin(self, link: Link, events: Events, outcome: Outcome, stack: ExitStack) -> tuple[GatedFeed, Deliveries]:
        """Start the head-end and the terminal; return where STKMs go, and what fetches the keys."""
        self._served = served = stack.enter_context(served_beside(self.network, self._clock))
        told, push = served.running.network, served.running.network.push
        words = f"BSF at {_http(told.bsf)}, BSM at {_http(told.bsm)}, LTKMs from UDP {push.address}:{push.port}"
        events.emit(StepDone(f"head-end on this computer: {words}"))
        watched = WatchedLink(link, self._crossed)
        if self._csim:
            csim = csim_subscriber(self.profile)
            tags = self.profile.csim.tags.by_name() if self.profile.csim else DEFAULT_TAGS
            middleware = CsimMiddleware(watched, tables=self.tables, tags=tags)
            connect_csim(middleware, self.profile, csim, events, outcome)
            terminal = self._terminal(lambda _address: csim_online(middleware, told.bsm.name), stack)
            order = Order(ServiceRequest(new_request_id(), (ALL,)))
            return middleware, WiredKeys(terminal, order, self.network, events, self._rests, self._patience.first)
        usim = TerminalMiddleware(watched, tables=self.tables)
        connect_usim(usim, self.profile, events, outcome)

        def at(address: str) -> OnlineCard:
            way = WatchedTransport(HttpTransport(told.bsf.endpoint, address), BSF, self._crossed)
            return usim_online(usim, HttpBsf(way, told.bsf.name, SystemRng()), told.bsm.name, self._clock)

        terminal, wish = self._terminal(at, stack), Register(told.service_ids, only=True)
        return usim, WiredKeys(terminal, wish, self.network, events, self._rests, self._patience.first)

    def end(self, outcome: Outcome) -> None:
        """Note what crossed, and that both sides agree on it."""
        served = self._served
        assert served is not None, "it has begun"
        pushes, sent = served.running.servers.pushes, served.running.port.sent
        figures = served.call(lambda: pushes.figures())
        outcome.compare("LTKMs that the BSM waits for", figures.outstanding, 0)
        outcome.compare("LTKMs that were acknowledged", pushes.acknowledged, outcome.ltkms)
        outcome.compare("exceptions in the head-end", served.call(served.running.defects), 0)
        self._crossed.datagrams["LTKMs to the terminal"] = sent
        self._crossed.datagrams["verification messages to the BSM"] = pushes.acknowledged
        outcome.crossed = self._crossed

    def _rests(self) -> bool:
        """Tell whether no LTKM waits at the BSM, neither to be sent nor to be acknowledged."""
        assert self._served is not None, "the head-end runs"
        figures = self._served.call(self._served.running.servers.pushes.figures)
        return not (figures.orders or figures.outstanding)

    def _terminal(self, card: Callable[[str], OnlineCard], stack: ExitStack) -> OnlineTerminal:
        """Open a terminal at the first address of this computer whose ports nobody has. Raises `SessionError`."""
        assert self._served is not None, "the head-end runs"
        bsm = self._served.running.network.bsm
        for number in range(2, _MOST_TERMINALS):
            address = f"127.0.0.{number}"
            way = WatchedTransport(HttpTransport(bsm.endpoint, address), BSM, self._crossed)
            rules = Rules(registers=not self._csim, chases=False)
            made = OnlineTerminal(
                card(address),
                Bsm(bsm.name),
                way,
                KeySockets(address),
                self._clock,
                SystemRng(),
                rules=rules,
                patience=self._patience,
            )
            try:
                return stack.enter_context(made)
            except TransportError:
                continue
        raise SessionError("other terminals have the ports of key messages at every address of this computer")


@dataclass(slots=True)
class WiredKeys:
    """The keys of a broadcast by way of the network: those of now with the first request, later ones when due.

    `rests` tells whether the BSM has nothing more for the terminal; that is waited for `longest` seconds.
    """

    terminal: OnlineTerminal
    first: Wish
    network: UsimNetwork
    events: Events
    rests: Callable[[], bool]
    longest: float
    delivered: int = 0
    _waiting: deque[Delivery] | None = None

    @property
    def remaining(self) -> int:
        """Number of keys whose time has not come."""
        return len(self.network.deliveries) if self._waiting is None else len(self._waiting)

    def deliver_until(self, moment: float) -> None:
        """Fetch every key that is due by `moment`, in seconds on the clock of the capture.

        Raises `SessionError`, `TerminalError`, `LinkError`.
        """
        if self._waiting is None:
            self._begin()
        start = self.network.scenario.start.timestamp()
        while self._waiting and start + self._waiting[0].at / 1000 <= moment:
            key = self._waiting.popleft().key
            self._ask(RequestKeys((MskName(key.key_domain_id, key.msk_id),)))

    def _begin(self) -> None:
        """Register, or buy: what is granted is followed by the current key of each service."""
        self._ask(self.first)
        words = {
            Register: "registered with the BSM: HTTP digest, user name B-TID, password SRK",
            Order: "bought a month of all services: HTTP digest, user name NAI, password from the Auth-Key of the card",
        }[type(self.first)]
        self.events.emit(StepDone(f"{words}; the BSM proved that it knows it, too"))
        now = {self.network.bsm.current_key(service.id).msk_id for service in self.network.scenario.services}
        self._waiting = deque(due for due in self.network.deliveries if due.key.msk_id not in now)

    def _ask(self, wish: Wish) -> None:
        with online_errors():
            answer_of(self.terminal.ask(wish))
            self.delivered += sum(receipt.taken for receipt in self._received())

    def _received(self) -> tuple[LtkmReceipt, ...]:
        """Return what came of the LTKMs of a request, the last one included.

        Each goes out when the one before is acknowledged. On a slow computer that takes longer than a quiet time, and
        what follows in the broadcast would have no key.
        """
        found, until = self.terminal.listen(), monotonic() + self.longest
        while not self.rests() and monotonic() < until:
            found += self.terminal.listen(_MORE)
        return found


def _http(place: Place) -> str:
    end = place.endpoint
    return f"http://{end.address}:{end.port}"
