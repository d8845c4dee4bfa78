"""`bcast-uicc terminal`: be the terminal. Only parses and prints; the work is in `host_tools.terminal`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from host_tools.cli.terminal_session import IN_PROCESS, PCSC, PIN_VARIABLE, parse_pin

if TYPE_CHECKING:
    from card.crypto.secret import Secret

_FILE = click.Path(dir_okay=False, path_type=Path)
_PORT = click.IntRange(1, 65_535)
_C = TypeVar("_C", bound=Callable[..., object])


def _card_options(command: _C) -> _C:
    """Add the options that say which card to use."""
    for option in (
        click.option("-v", "--verbose", is_flag=True, help="Show each APDU, without PINs and keys."),
        click.option("--json", "as_json", is_flag=True, help="Print the result as JSON and nothing else."),
        click.option(
            "--pin", envvar=PIN_VARIABLE, callback=parse_pin, metavar="DIGITS",
            help=f"The card's PIN; better given in the environment as {PIN_VARIABLE}, where `ps` shows no PIN.",
        ),
        click.option(
            "--profile", type=_FILE,
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


@click.group()
def terminal() -> None:
    """Be the terminal: look at a card, and play a captured broadcast with it."""


@terminal.command()
@click.argument("capture", metavar="FILE.pcap", type=_FILE)
@_card_options
@click.option("--scenario", metavar="SCENARIO", help="First bootstrap and get LTKMs from the test head-end of this "
              'scenario (file, or "demo"); needs --profile.')
@click.option("--ltkms", type=_FILE, help="First deliver what `headend record --ltkms` wrote.")
@click.option("--stkm-port", type=_PORT, default=2269, show_default=True, help="UDP port of the STKMs.")
@click.option("--media", type=_PORT, multiple=True, help="UDP port of media, repeatable; without it, all RTP.")
@click.option("--feed-all", is_flag=True, help="Give identical repeats of an STKM to the card, too.")
@click.option("-o", "--output", type=_FILE, help="Write the decrypted media to files that begin with this name.")
def play(
    capture: Path, reader: str | None, link: str, profile: Path | None, pin: Secret | None, as_json: bool,
    verbose: bool, scenario: str | None, ltkms: Path | None, stkm_port: int, media: tuple[int, ...],
    feed_all: bool, output: Path | None,
) -> None:  # fmt: skip
    """Decrypt a captured broadcast with the card.

    Each STKM in FILE.pcap goes to the card, each TEK it gives opens the media that follow. The card must hold the
    service's keys already, or get them first with --scenario or --ltkms.
    """
    from host_tools.cli.terminal_play import PlayJob
    from host_tools.terminal.player import PlayOptions

    if scenario is not None and profile is None:
        raise click.UsageError("--scenario needs --profile: the head-end shares the subscriber's keys with the card")
    if scenario is not None and ltkms is not None:
        raise click.UsageError("give --scenario or --ltkms, not both")
    options = PlayOptions(stkm_port, frozenset(media), feed_all)
    job = PlayJob(capture, options, output, link, reader, profile, pin, scenario, ltkms, verbose)
    job.run(as_json)


@terminal.command()
@_card_options
def info(
    reader: str | None, link: str, profile: Path | None, pin: Secret | None, as_json: bool, verbose: bool
) -> None:
    """Show the card: reader, ATR, applications, subscriber and services."""
    from host_tools.cli.terminal_info import show_card

    show_card(link, reader, profile, pin, verbose, as_json)
