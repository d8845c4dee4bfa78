"""The demo with a USIM: keys from GBA_U."""

from __future__ import annotations

from contextlib import ExitStack

from card import CardProfile
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.subscribers.personalised import subscriber_of
from host_tools.links.base import Link
from host_tools.sessions.demo.job import Outcome, demo_scenario
from host_tools.sessions.events import Events, StepDone
from host_tools.sessions.keys import keys_to_deliver
from host_tools.terminal.key_delivery import KeyDelivery
from host_tools.terminal.middleware import TerminalMiddleware


class UsimSide:
    """A USIM and its network with a BSF."""

    def __init__(self) -> None:
        self.profile = CardProfile.demo()
        self.tables = self.profile.bcast.build_tables()
        self.network = UsimNetwork(demo_scenario(), subscriber_of(self.profile), tables=self.tables)

    def begin(
        self, link: Link, events: Events, outcome: Outcome, stack: ExitStack
    ) -> tuple[TerminalMiddleware, KeyDelivery]:
        """Connect, run GBA and compare the keys with the network's."""
        del stack
        middleware = TerminalMiddleware(link, tables=self.tables)
        connect_usim(middleware, self.profile, events, outcome)
        bootstrapped = middleware.bootstrap(self.network.bsf)
        events.emit(StepDone("GBA_U bootstrapping with the BSF: Ks agreed, B-TID and lifetime written to the card"))
        srk = middleware.establish(self.network.bsm.naf_id)
        if srk != self.network.bsm.srk(bootstrapped.b_tid):
            outcome.differences.append("SRK: card and network derived different keys")
        events.emit(StepDone("NAF derivation with the BSM: SMK in the card, SRK in the terminal"))
        return middleware, keys_to_deliver(middleware, self.network, bootstrapped.b_tid)

    def end(self, outcome: Outcome) -> None:
        """Do nothing: each answer of the card was checked when it came."""


def connect_usim(middleware: TerminalMiddleware, profile: CardProfile, events: Events, outcome: Outcome) -> None:
    """Select the USIM, give its PIN and compare the IMSI."""
    events.emit(StepDone(f"card in reader “{middleware.reader}”, ATR {middleware.atr.hex(' ').upper()}"))
    identity = middleware.connect(profile.pins.pin1.value)
    outcome.compare("IMSI", identity.imsi, profile.usim.imsi)
    events.emit(StepDone(f"USIM selected, PIN verified, IMSI {identity.imsi}"))
