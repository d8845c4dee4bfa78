"""What the playing commands can do beside: explain, buy, give the parental PIN, open bound TEKs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from host_tools.cli.terminal_session import parse_pin

if TYPE_CHECKING:
    from card.crypto.secret import Secret
    from host_tools.terminal.decision import Decision
    from host_tools.terminal.departure import Departure
    from host_tools.terminal.key_source import KeySource
    from host_tools.terminal.middleware import TerminalMiddleware
    from host_tools.terminal.player import Hooks
    from host_tools.terminal.purchase import PurchaseFlow

_MOST_NOTED = 10_000  # decisions, and events, kept for JSON
_C = TypeVar("_C", bound=Callable[..., object])
N = TypeVar("N")


def parse_address(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[str, int] | None:
    """Read HOST:PORT. Raises `click.BadParameter`."""
    if value is None:
        return None
    host, _, port = value.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65_536:
        raise click.BadParameter("HOST:PORT is wanted, such as 127.0.0.1:8443")
    return host, int(port)


def extra_options(command: _C) -> _C:
    """Add the options; they arrive together as `Extras.of(options)`."""
    for option in (
        click.option(
            "--permissions-issuer", metavar="HOST:PORT", callback=parse_address,
            help="Where the permissions issuer really is; without it, where the STKM says.",
        ),
        click.option(
            "--binding", metavar="DIR", type=click.Path(file_okay=False, path_type=Path),
            help="Open bound TEKs: folder with this terminal's terminal.pem and terminal.key, and ca.pem to trust.",
        ),
        click.option("--parental-pin", metavar="DIGITS", envvar="BCAST_UICC_PARENTAL_PIN", callback=parse_pin,
                     help="Parental PIN, given when the card wants it; better as BCAST_UICC_PARENTAL_PIN."),
        click.option("--no-events", is_flag=True, help="Do not tell the card which services are left."),
        click.option("--buy", is_flag=True, help="Buy what the card lacks from the test head-end (--scenario)."),
        click.option("--explain", is_flag=True, help="Show what the card decided about each STKM, and why."),
    ):  # fmt: skip
        command = option(command)
    return command


@dataclass(slots=True)
class Extras:
    """What the options ask for. `decisions` keeps what the card decided, `departures` the services left, for JSON."""

    explain: bool = False
    buy: bool = False
    parental_pin: Secret | None = None
    binding: Path | None = None
    permissions_issuer: tuple[str, int] | None = None
    no_events: bool = False
    decisions: list[Decision] = field(default_factory=list)
    departures: list[Departure] = field(default_factory=list)

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Extras:
        """Take the values of the options out of all that a command got."""
        names = ("explain", "buy", "parental_pin", "binding", "permissions_issuer", "no_events")
        return cls(**{name: options[name] for name in names})

    def apply(
        self, middleware: TerminalMiddleware, purchase: PurchaseFlow | None, hooks: Hooks, *, to_stderr: bool
    ) -> tuple[KeySource, Hooks]:
        """Return where STKMs are to go, and the hooks with what the options add. Raises `PermissionsError`."""
        from host_tools.terminal.decision import ExplainingFeed
        from host_tools.terminal.key_source import UnsignalledFeed
        from host_tools.terminal.purchase import ParentalPinEntry, Remedy, first_that_helps

        feed: KeySource = UnsignalledFeed(middleware) if self.no_events else middleware
        if self.binding is not None:
            feed = self._binding_feed(feed, self.binding)
        if self.explain:
            explaining = ExplainingFeed(feed, middleware.usim)
            feed = explaining
            hooks = replace(
                hooks,
                explain=explaining.take,
                on_decision=lambda one: self._note(one, self.decisions, to_stderr),
                on_departure=lambda one: self._note(one, self.departures, to_stderr),
            )
        remedies: list[Remedy] = [purchase] if self.buy and purchase is not None else []
        if self.parental_pin is not None:
            remedies.append(ParentalPinEntry(middleware.usim, self._given_pin))
        return feed, replace(hooks, on_refusal=first_that_helps(remedies)) if remedies else hooks

    def as_json(self) -> dict[str, object]:
        """Return what is to be added to a JSON result."""
        if not self.explain:
            return {}
        return {
            "decisions": [decision.as_dict() for decision in self.decisions],
            "events": [departure.as_dict() for departure in self.departures],
        }

    def _note(self, what: N, noted: list[N], to_stderr: bool) -> None:
        if len(noted) < _MOST_NOTED:
            noted.append(what)
        if to_stderr:
            click.echo(str(what), err=True)

    def _given_pin(self) -> Secret | None:
        return self.parental_pin

    def _binding_feed(self, feed: KeySource, folder: Path) -> KeySource:
        from host_tools.terminal.tbk import BindingFeed, Credentials, PermissionsClient

        files = Credentials(folder / "ca.pem", folder / "terminal.pem", folder / "terminal.key")
        client = PermissionsClient(files.context(), self.permissions_issuer)
        return BindingFeed(feed, client, on_problem=lambda error: click.echo(str(error), err=True))
