"""The demo with a CSIM: keys from the registration key, no GBA. Provisional: see docs/spec/csim.md."""

from __future__ import annotations

import secrets

from card import CardProfile
from card.crypto.bcmcs import RegistrationKey, find_functions
from card.errors import ProfileError
from card.spec.bcmcs_tables import DEFAULT_TAGS
from host_tools.cli.demo_job import Outcome, Reporter, demo_scenario
from host_tools.cli.terminal_keys import keys_to_deliver
from host_tools.exchange.digest.compute import Asked
from host_tools.exchange.procedures import SERVICE_REQUEST
from host_tools.headend.errors import HeadendError
from host_tools.headend.scenario.csim import CsimNetwork
from host_tools.headend.subscribers.rk_subscriber import RkSubscriber
from host_tools.links.base import Link
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

    def begin(self, link: Link, reporter: Reporter, outcome: Outcome) -> tuple[CsimMiddleware, KeyDelivery]:
        """Connect, and register with the BSM by an HTTP digest that only a card with RK can answer."""
        middleware = CsimMiddleware(link, tables=self.tables, tags=self.tags)
        reporter.step(f"card in reader “{middleware.reader}”, ATR {middleware.atr.hex(' ').upper()}")
        identity = middleware.connect(self.profile.pins.pin1.value)
        outcome.compare("IMSI_M", identity.imsi, self.network.subscriber.imsi)
        outcome.compare("NAI", identity.nai, self.network.subscriber.nai)
        reporter.step(f"CSIM selected, PIN verified, IMSI_M {identity.imsi}, NAI {identity.nai}")
        self._register(middleware, outcome)
        reporter.step("registered with the BSM: HTTP digest, user name NAI, password from the Auth-Key of the card")
        return middleware, keys_to_deliver(middleware, self.network, identity.nai)

    def _register(self, middleware: CsimMiddleware, outcome: Outcome) -> None:
        asked = Asked(SERVICE_REQUEST.method, SERVICE_REQUEST.target)
        answer = middleware.answer(self.network.home.demand(), asked, secrets.token_bytes)
        try:
            self.network.home.admit(answer, asked)
        except HeadendError as error:
            outcome.differences.append(f"registration: {error}")


def csim_subscriber(profile: CardProfile) -> RkSubscriber:
    """Return the network's record of the subscriber whose CSIM is personalised from `profile`.

    Raises `ProfileError` when the profile has no CSIM.
    """
    csim = profile.csim
    if csim is None:
        raise ProfileError("csim: the profile has no CSIM")
    root = RegistrationKey(csim.rk, find_functions(csim.functions))
    return RkSubscriber(csim.imsi or profile.usim.imsi, csim.nai, root)
