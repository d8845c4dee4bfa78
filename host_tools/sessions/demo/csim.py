"""The demo with a CSIM: keys from the registration key, no GBA. Provisional: see docs/spec/csim.md."""

from __future__ import annotations

import secrets
from contextlib import ExitStack

from card import CardProfile
from card.spec.bcmcs_tables import DEFAULT_TAGS
from host_tools.exchange.digest.compute import Asked
from host_tools.exchange.procedures import SERVICE_REQUEST
from host_tools.headend.errors import HeadendError
from host_tools.headend.scenario.csim import CsimNetwork
from host_tools.headend.subscribers.rk_subscriber import RkSubscriber
from host_tools.links.base import Link
from host_tools.sessions.csim import csim_subscriber
from host_tools.sessions.demo.job import Outcome, demo_scenario
from host_tools.sessions.events import Events, StepDone
from host_tools.sessions.keys import keys_to_deliver
from host_tools.terminal.csim_middleware import CsimMiddleware
from host_tools.terminal.key_delivery import KeyDelivery


class CsimSide:
    """A CSIM, on a card with a USIM beside it, and its network with the registration key."""

    def __init__(self) -> None:
        self.profile = CardProfile.demo("csim")
        self.tables = self.profile.bcast.build_tables()
        csim = self.profile.csim
        self.tags = csim.tags.by_name() if csim else DEFAULT_TAGS
        self.network = CsimNetwork(demo_scenario(), csim_subscriber(self.profile), tables=self.tables)

    def begin(
        self, link: Link, events: Events, outcome: Outcome, stack: ExitStack
    ) -> tuple[CsimMiddleware, KeyDelivery]:
        """Connect, and register with the BSM by an HTTP digest that only a card with RK can answer."""
        del stack
        middleware = CsimMiddleware(link, tables=self.tables, tags=self.tags)
        connect_csim(middleware, self.profile, self.network.subscriber, events, outcome)
        self._register(middleware, outcome)
        how = "HTTP digest, user name NAI, password from the Auth-Key of the card"
        events.emit(StepDone(f"registered with the BSM: {how}"))
        return middleware, keys_to_deliver(middleware, self.network, self.network.subscriber.nai)

    def end(self, outcome: Outcome) -> None:
        """Do nothing: each answer of the card was checked when it came."""

    def _register(self, middleware: CsimMiddleware, outcome: Outcome) -> None:
        asked = Asked(SERVICE_REQUEST.method, SERVICE_REQUEST.target)
        answer = middleware.answer(self.network.home.demand(), asked, secrets.token_bytes)
        try:
            self.network.home.admit(answer, asked)
        except HeadendError as error:
            outcome.differences.append(f"registration: {error}")


def connect_csim(
    middleware: CsimMiddleware, profile: CardProfile, subscriber: RkSubscriber, events: Events, outcome: Outcome
) -> None:
    """Select the CSIM, give its PIN and compare its names with those that the network has."""
    events.emit(StepDone(f"card in reader “{middleware.reader}”, ATR {middleware.atr.hex(' ').upper()}"))
    identity = middleware.connect(profile.pins.pin1.value)
    outcome.compare("IMSI_M", identity.imsi, subscriber.imsi)
    outcome.compare("NAI", identity.nai, subscriber.nai)
    events.emit(StepDone(f"CSIM selected, PIN verified, IMSI_M {identity.imsi}, NAI {identity.nai}"))
