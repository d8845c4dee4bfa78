"""A head-end on sockets of this computer, in a thread, and terminals before it."""

from __future__ import annotations

import asyncio
import itertools
import os
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import pytest

from card import CardProfile, memory_card
from card.crypto.secret import Secret
from card.spec.bcast.p1 import P1
from host_tools.exchange.errors import TransportError
from host_tools.headend.bsm import ltkm_sender
from host_tools.headend.catalogue.items import Catalogue
from host_tools.headend.http.client_id import ClientIdRule
from host_tools.headend.http.short_messages import SmsPlace
from host_tools.headend.operating.happenings import Hearer
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.on_air import ScenarioServices
from host_tools.headend.scenario.stored import stored_parts
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.seeded import Seeded, SeededRng
from host_tools.headend.serving import Beside, Ports, Running, serve
from host_tools.headend.store.store import Store
from host_tools.headend.subscribers.gba_settings import UICC_BASED_MBMS, GbaSettings
from host_tools.headend.subscribers.personalised import record_of, subscriber_of
from host_tools.links.inprocess import InProcessLink
from host_tools.terminal.client.machine import Rules
from host_tools.terminal.identities import usim_online
from host_tools.terminal.ltkm_receipt import LtkmReceipt
from host_tools.terminal.middleware import TerminalMiddleware
from host_tools.terminal.online import OnlineTerminal, Patience
from host_tools.terminal.reach import reach_network
from host_tools.web.rooms import Rooms
from host_tools.wire.key_sockets import KeySockets
from host_tools.wire.limits import ServerLimits
from host_tools.wire.network_file import NetworkFile
from host_tools.wire.system import SystemClock, SystemRng
from tests.unit.host_tools.headend.networks import small_scenario

PIN = CardProfile.demo().pins.pin1.value
_MOST_SECONDS = 300
"""Until a server that neither starts, nor ends, nor answers counts as stuck; nothing is measured by it."""
PATIENCE = Patience(first=20.0, quiet=0.1)
"""For LTKMs. A `PatientTerminal` does not rely on it."""
_A_MOMENT = 0.05
_NEVER = 3600.0
_SLOTS = itertools.count()
_T = TypeVar("_T")


@dataclass
class HeadEnd:
    """A head-end that runs. What a test changes in it, it changes in the thread that serves."""

    network: UsimNetwork
    running: Running
    terminal_address: str = ""
    """Of terminals that come one after the other: pushes go on to where a registration came from."""

    def call(self, step: Callable[[], _T]) -> _T:
        """Run a step between two requests and return what it returns."""
        done: Future[_T] = Future()

        def run() -> None:
            try:
                done.set_result(step())
            except Exception as error:
                done.set_exception(error)

        self.running.loop.call_soon_threadsafe(run)
        return done.result(_MOST_SECONDS)

    @property
    def defects(self) -> int:
        return self.call(self.running.defects)

    def rests(self) -> bool:
        """Tell whether no LTKM waits, neither to be sent nor to be acknowledged."""
        figures = self.call(self.running.servers.pushes.figures)
        return not (figures.orders or figures.outstanding)


@contextmanager
def head_end(
    *,
    limits: ServerLimits | None = None,
    zn_tls: ssl.SSLContext | None = None,
    ua_tls: ssl.SSLContext | None = None,
    ub_tls: ssl.SSLContext | None = None,
    seed: str = "wire",
    scenario: Scenario | None = None,
    catalogue: Catalogue | None = None,
    client_ids: ClientIdRule | None = None,
    settings: GbaSettings = UICC_BASED_MBMS,
    store: Store | None = None,
    pages: bool = False,
    services: ScenarioServices | None = None,
    beside: Callable[[UsimNetwork], Sequence[Beside]] = lambda _: (),
    most_requests: int | None = None,
    sms: SmsPlace | None = None,
    hears: Hearer | None = None,
) -> Iterator[HeadEnd]:
    """Serve a scenario, by default the small one, on ports that are free; nothing is left behind.

    With a `store` everything is kept there, and it stays open. With `pages` browsers are served, too.
    `beside` makes what runs beside the servers, whose broadcast is that of `services`.
    """
    clock, plan = SystemClock(), scenario or small_scenario()
    if store is None:
        subscriber = subscriber_of(CardProfile.demo()).with_settings(settings)
        network = UsimNetwork(plan, subscriber, clock, seed, tables=P1, services=services)
    else:
        network = _stored(store, plan, clock, services)
    ready: Future[Running] = Future()
    made = SeededRng(Seeded(seed), "pages")
    rooms = partial(Rooms.of, made, clock) if pages else None

    def run() -> None:
        rng = SeededRng(Seeded(seed), "serve")
        try:
            asyncio.run(
                serve(
                    network,
                    clock,
                    rng,
                    Ports(),
                    ready.set_result,
                    limits=limits,
                    zn_tls=zn_tls,
                    ua_tls=ua_tls,
                    ub_tls=ub_tls,
                    catalogue=catalogue,
                    client_ids=client_ids,
                    rooms=rooms,
                    beside=beside(network),
                    most_requests=most_requests,
                    sms=sms,
                    hears=hears,
                )
            )
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            raise

    thread = threading.Thread(target=run)
    thread.start()
    running = ready.result(_MOST_SECONDS)
    try:
        yield HeadEnd(network, running)
    finally:
        running.stop()
        thread.join(_MOST_SECONDS)
        assert not thread.is_alive()


def _stored(store: Store, plan: Scenario, clock: SystemClock, services: ScenarioServices | None) -> UsimNetwork:
    parts = stored_parts(store, plan, [record_of(CardProfile.demo())], clock)
    with store.database.transaction():
        who = subscriber_of(CardProfile.demo())
        return UsimNetwork(plan, who, clock, tables=P1, services=services, parts=parts, rng=SystemRng())


@contextmanager
def nothing_goes_again() -> Iterator[None]:
    """Let the BSMs of this process send no LTKM again for the length of a `with` block: a busy computer loses nothing.

    Where this end answers later than a BSM waits, a plain LTKM comes once more under a new T, and there is one more
    than there should be.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ltkm_sender, "FIRST_WAIT", _NEVER)
        yield


def free_address() -> str:
    """Return an address of this computer whose ports of key messages nobody has, other test processes neither."""
    while True:
        slot = next(_SLOTS)
        address = f"127.{64 + os.getpid() % 128}.{os.getpid() // 128 % 250 + 1}.{slot % 250 + 2}"
        try:
            with KeySockets(address):
                return address
        except TransportError:
            continue


def fresh_card() -> TerminalMiddleware:
    """Return a card as it comes from the demonstration profile, connected."""
    middleware = TerminalMiddleware(InProcessLink(memory_card(CardProfile.demo(), strict=True)), tables=P1)
    middleware.connect(Secret(PIN.reveal()))
    return middleware


class PatientTerminal(OnlineTerminal):
    """Listens until the BSM has sent all that it has for it, however long that takes.

    The next LTKM goes out when the one before is acknowledged, which on a busy computer is later than any quiet time
    that a test could wait for nothing.
    """

    def __init__(self, *arguments: Any, rests: Callable[[], bool], **more: Any) -> None:
        """Take what `OnlineTerminal` takes, and what tells whether nothing waits at the BSM."""
        super().__init__(*arguments, **more)
        self._rests = rests

    def listen(self, patience: Patience | None = None) -> tuple[LtkmReceipt, ...]:
        """Return what came of the LTKMs, the last one included."""
        found = super().listen(patience)
        deadline = time.monotonic() + _MOST_SECONDS
        while not self._rests() and time.monotonic() < deadline:
            found += super().listen(Patience(first=_A_MOMENT, quiet=_A_MOMENT))
        return found


def terminal(middleware: TerminalMiddleware, served: HeadEnd, address: str | None = None) -> PatientTerminal:
    """Return a terminal with this card, which remembers nothing and asks for no key by itself."""
    return terminal_at(middleware, served.running.network, served.rests, address)


def terminal_at(
    middleware: TerminalMiddleware, network: NetworkFile, rests: Callable[[], bool], address: str | None = None
) -> PatientTerminal:
    """Return such a terminal before a head-end that may be another process; `rests` asks that."""
    clock, rng, place = SystemClock(), SystemRng(), address or free_address()
    reach = reach_network(network, place)
    bsf = reach.to_bsf(middleware.identity.home_domain, rng)
    card = usim_online(middleware, bsf, reach.bsm.fqdn, clock)
    rules, sockets = Rules(chases=False), KeySockets(place)
    return PatientTerminal(
        card, reach.bsm, reach.to_bsm(), sockets, clock, rng, rules=rules, patience=PATIENCE, rests=rests
    )
