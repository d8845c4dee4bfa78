"""The demo with a USIM: keys from GBA_U."""

from __future__ import annotations

from card import CardProfile
from host_tools.cli.demo_job import Outcome, Reporter, demo_scenario
from host_tools.cli.terminal_keys import keys_to_deliver
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.subscribers.personalised import subscriber_of
from host_tools.links.base import Link
from host_tools.terminal.key_delivery import KeyDelivery
from host_tools.terminal.middleware import TerminalMiddleware


class UsimSide:
    """A USIM and its network with a BSF."""

    def __init__(self) -> None:
        self.profile = CardProfile.demo()
        self.tables = self.profile.bcast.build_tables()
        self.network = UsimNetwork(demo_scenario(), subscriber_of(self.profile), tables=self.tables)

    def begin(self, link: Link, reporter: Reporter, outcome: Outcome) -> tuple[TerminalMiddleware, KeyDelivery]:
        """Connect, run GBA and compare the keys with the network's."""
        middleware = TerminalMiddleware(link, tables=self.tables)
        self._connect(middleware, reporter, outcome)
        bootstrapped = middleware.bootstrap(self.network.bsf)
        reporter.step("GBA_U bootstrapping with the BSF: Ks agreed, B-TID and lifetime written to the card")
        srk = middleware.establish(self.network.bsm.naf_id)
        if srk != self.network.bsm.srk(bootstrapped.b_tid):
            outcome.differences.append("SRK: card and network derived different keys")
        reporter.step("NAF derivation with the BSM: SMK in the card, SRK in the terminal")
        return middleware, keys_to_deliver(middleware, self.network, bootstrapped.b_tid)

    def _connect(self, middleware: TerminalMiddleware, reporter: Reporter, outcome: Outcome) -> None:
        reporter.step(f"card in reader “{middleware.reader}”, ATR {middleware.atr.hex(' ').upper()}")
        identity = middleware.connect(self.profile.pins.pin1.value)
        outcome.compare("IMSI", identity.imsi, self.profile.usim.imsi)
        reporter.step(f"USIM selected, PIN verified, IMSI {identity.imsi}")
