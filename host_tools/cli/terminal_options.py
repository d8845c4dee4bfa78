"""The options that say which card a terminal command uses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from host_tools.cli.terminal_sac import sac_option
from host_tools.cli.terminal_session import IN_PROCESS, PCSC, PIN_VARIABLE, parse_pin

if TYPE_CHECKING:
    from card.crypto.secret import Secret
    from card.spec.bcast_tables import BcastTables
    from host_tools.links.base import Link
    from host_tools.terminal.middleware import TerminalMiddleware

FILE = click.Path(dir_okay=False, path_type=Path)
_C = TypeVar("_C", bound=Callable[..., object])


def which_card_options(command: _C) -> _C:
    """Add the options that say which card to use."""
    for option in (
        click.option(
            "--pin", envvar=PIN_VARIABLE, callback=parse_pin, metavar="DIGITS",
            help=f"The card's PIN; better given in the environment as {PIN_VARIABLE}, where `ps` shows no PIN.",
        ),
        click.option(
            "--profile", type=FILE,
            help="Card profile (a file, or the name of one that ships); with --link inprocess also a card file.",
        ),
        click.option(
            "--link", type=click.Choice([PCSC, IN_PROCESS]), default=PCSC, show_default=True,
            help="A card in a PC/SC reader, or one in this process.",
        ),
        click.option("--reader", help="Name of the reader or a part of it; without it, the first with a card."),
    ):  # fmt: skip
        command = option(command)
    return command


def card_options(command: _C) -> _C:
    """Add the options that say which card to use, and how to talk and to print."""
    command = which_card_options(command)
    for option in (
        sac_option,
        click.option("-v", "--verbose", is_flag=True, help="Show each APDU, without PINs and keys."),
        click.option("--json", "as_json", is_flag=True, help="Print the result as JSON and nothing else."),
    ):  # fmt: skip
        command = option(command)
    return command


def key_options(command: _C) -> _C:
    """Add the options that say where a fresh card's keys come from."""
    for option in (
        click.option("--ltkms", type=FILE, help="First deliver what `headend record --ltkms` wrote."),
        click.option(
            "--subscriber", type=FILE,
            help="Card profile that --scenario takes the subscriber from, where --profile is a card file.",
        ),
        click.option(
            "--scenario", metavar="SCENARIO",
            help="First bootstrap and get LTKMs from the test head-end of this scenario (file, or a name such as "
            '"demo"); needs --profile.',
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def check_key_options(options: Mapping[str, Any]) -> None:
    """Refuse what does not go together. Raises `click.UsageError`."""
    if options["scenario"] is not None and options["profile"] is None and options["subscriber"] is None:
        raise click.UsageError("--scenario needs --profile: the head-end shares the subscriber's keys with the card")
    if options["scenario"] is not None and options["ltkms"] is not None:
        raise click.UsageError("give --scenario or --ltkms, not both")
    if options.get("buy") and options["scenario"] is None:
        raise click.UsageError("--buy needs --scenario: its head-end is the one that sells")


@dataclass(frozen=True, slots=True)
class CardChoice:
    """Which card to use, and how."""

    link: str
    reader: str | None
    profile: Path | None
    pin: Secret | None
    verbose: bool
    sac: str | None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> CardChoice:
        """Take the values of the options out of all that a command got."""
        return cls(*(options[name] for name in ("link", "reader", "profile", "pin", "verbose", "sac")))

    @contextmanager
    def opened(self) -> Iterator[tuple[Link, TerminalMiddleware]]:
        """Open the card, inside a secure channel when asked to. Raises `CliError`, `LinkError`."""
        from host_tools.cli.terminal_sac import protect
        from host_tools.cli.terminal_session import open_link, print_exchange
        from host_tools.terminal.middleware import TerminalMiddleware

        with open_link(self.link, self.reader, self.profile) as link:
            trace = print_exchange if self.verbose else None
            protected = protect(link, self.sac, self.profile)
            yield protected, TerminalMiddleware(protected, trace, tables_of(self.profile))

    @contextmanager
    def connected(self) -> Iterator[TerminalMiddleware]:
        """Open the card, select its USIM and give the PIN. Raises `CliError`, `TerminalError`, `LinkError`."""
        from host_tools.cli.terminal_session import connect

        with self.opened() as (_, middleware):
            connect(middleware, self.pin)
            yield middleware


def tables_of(profile: Path | None) -> BcastTables:
    """Return the BCAST tables of a card profile, the default set without one or for a card file. Raises `CliError`."""
    from card.spec.bcast_p1 import P1
    from host_tools.cli.cards import is_profile, load_profile, plain_errors

    if profile is None or not is_profile(profile):
        return P1
    with plain_errors():
        return load_profile(profile).bcast.build_tables()
