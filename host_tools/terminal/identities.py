"""A card as the client of a network uses it: its middleware, and who it makes the terminal at the BSM."""

from __future__ import annotations

from dataclasses import dataclass

from host_tools.exchange.ports import Clock
from host_tools.terminal.application_middleware import CardMiddleware
from host_tools.terminal.csim_middleware import CsimMiddleware
from host_tools.terminal.http.session import CsimSession, GbaSession, UaSession
from host_tools.terminal.http.ub import HttpBsf
from host_tools.terminal.me_keys import MeSession, MukStore
from host_tools.terminal.middleware import TerminalMiddleware


@dataclass(slots=True)
class OnlineCard:
    """The card, the identity, and the BSF where there is one."""

    middleware: CardMiddleware
    session: UaSession
    bsf: HttpBsf | None = None

    @property
    def tmpi(self) -> str:
        """The name for the next bootstrapping, "" for none."""
        return "" if self.bsf is None else self.bsf.tmpi

    def use_tmpi(self, tmpi: str) -> None:
        """Take the name that the last bootstrapping gave, from an earlier run."""
        if self.bsf is not None and tmpi:
            self.bsf.tmpi = tmpi


def usim_online(middleware: TerminalMiddleware, bsf: HttpBsf, fqdn: str, clock: Clock) -> OnlineCard:
    """Return a connected USIM as the client of the BSM `fqdn`."""
    return OnlineCard(middleware, GbaSession(middleware, bsf, fqdn, clock.now), bsf)


def csim_online(middleware: CsimMiddleware, fqdn: str) -> OnlineCard:
    """Return a connected CSIM as the client of the BSM `fqdn`."""
    return OnlineCard(middleware, CsimSession(middleware, fqdn))


def me_online(
    usim: TerminalMiddleware, keys: TerminalMiddleware, keep: MukStore, bsf: HttpBsf, fqdn: str, clock: Clock
) -> OnlineCard:
    """Return a terminal that holds its keys itself: a connected USIM authenticates, `keys` is the key store (GBA_ME).

    `keep` gives the key store its MUK.
    """
    return OnlineCard(keys, MeSession(usim, keep, bsf, fqdn, clock.now), bsf)
