"""The options that say which card a terminal command uses."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from host_tools.cli.console import Console
from host_tools.cli.exits import CliError
from host_tools.cli.explained import PIN_VARIABLE, ask_pin, parse_pin
from host_tools.cli.new_file import refuse_clash
from host_tools.cli.trace.options import TraceChoice, trace_options
from host_tools.content.srtp.format import HEADEND_FORMAT, MOST_MKI, SrtpFormat, SrtpSuite
from host_tools.sessions.opening import IN_PROCESS, PCSC, CardSource
from host_tools.sessions.secure_channel import KEY_VARIABLE, KINDS

if TYPE_CHECKING:
    from card.crypto.secret import Secret
    from host_tools.content.protection import PacketFormat
    from host_tools.links.base import Link
    from host_tools.sessions.keys import KeySource
    from host_tools.sessions.report_page import ReportPage
    from host_tools.terminal.application_middleware import CardMiddleware
    from host_tools.terminal.middleware import TerminalMiddleware

FILE = click.Path(dir_okay=False, path_type=Path)
_MEDIA_STEM = "media"
_C = TypeVar("_C", bound=Callable[..., object])


sac_option = click.option(
    "--sac",
    type=click.Choice(KINDS),
    is_flag=False,
    flag_value=KINDS[0],
    default=None,
    help=f"Talk to the card through a secure channel (provisional). The secret is the first one of [sac] in the card "
    f"profile, or {KEY_VARIABLE}=TERMINAL_ID:HEX.",
)


csim_option = click.option("--csim", is_flag=True, help="Use the card's CSIM in place of its USIM (provisional).")


def which_card_options(command: _C) -> _C:
    """Add the options that say which card to use."""
    for option in (
        click.option(
            "--pin", envvar=PIN_VARIABLE, callback=parse_pin, metavar="DIGITS",
            help=f"The card's PIN; better given in the environment as {PIN_VARIABLE}, where `ps` shows no PIN.",
        ),
        click.option(
            "--profile", type=FILE,
            help="Card profile (a file, or the name of one that ships), or a card file. With --link inprocess that is "
            "the card; of one in a reader it tells what cannot be asked: tables of OMA BCAST, shared secrets.",
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
    as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON and nothing else.")
    return as_json(trace_options(sac_option(which_card_options(command))))


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


def media_options(command: _C) -> _C:
    """Add the options that say how the media are protected; `srtp_format` reads them."""
    for option in (
        click.option(
            "--mki-length", type=click.IntRange(0, MOST_MKI), metavar="BYTES",
            help="Size of the MKI in the media packets, 0 for none. Other than 6, the TEK is found by trial. "
            f" [default: {HEADEND_FORMAT.mki_size}; of `replay`, what the recording says]",
        ),
        click.option(
            "--srtp-suite", type=click.Choice(SrtpSuite.__members__),
            help="Cipher and authentication tag of the media packets. "
            f" [default: {HEADEND_FORMAT.suite.name}; of `replay`, what the recording says]",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def srtp_format(options: Mapping[str, Any], otherwise: PacketFormat = HEADEND_FORMAT) -> PacketFormat:
    """Return what `media_options` say of SRTP; what they leave open, and any other protection, is as in `otherwise`."""
    if not isinstance(otherwise, SrtpFormat):
        return otherwise
    suite, mki_size = options["srtp_suite"], options["mki_length"]
    return SrtpFormat(
        otherwise.suite if suite is None else SrtpSuite[suite],
        otherwise.mki_size if mki_size is None else mki_size,
    )


def output_option(command: _C) -> _C:
    """Add -o, which arrives as the path that the names of all media files begin with."""
    return click.option(
        "-o", "--output", metavar="PREFIX|DIR/", callback=parse_output,
        help="Write the decrypted media to files that begin with PREFIX, or into the folder DIR.",
    )(command)  # fmt: skip


def parse_output(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> Path | None:
    """Read -o. Raises `CliError` where nothing can be written.

    A folder that is named with a slash need not be there: the first file makes it.
    """
    if value is None:
        return None
    path = Path(value)
    is_folder = value.endswith(os.sep) or path.is_dir()
    if is_folder and path.exists() and not path.is_dir():
        raise CliError(f"-o {value}: the folder cannot be made: there is a file of that name.")
    folder = path if path.is_dir() else path.parent
    if not folder.is_dir():
        raise CliError(f"-o {value}: there is no folder {folder}.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CliError(f"-o {value}: you may not write into {folder}.")
    return path / _MEDIA_STEM if is_folder else path


def report_option(command: _C) -> _C:
    """Add --report, which arrives as the path of a page."""
    return click.option(
        "--report", type=FILE, metavar="FILE.html",
        help="Leave a page that shows what happened over time: keys, STKMs, media, purses. No key is in it.",
    )(command)  # fmt: skip


def report_page(options: Mapping[str, Any], title: str, *read: Path | None) -> ReportPage | None:
    """Return the page that --report asks for; none of the files that are `read`. Raises `click.UsageError`."""
    path: Path | None = options["report"]
    if path is None:
        return None
    from host_tools.sessions.report_page import ReportPage

    names = ("ltkms", "profile", "subscriber")
    refuse_clash([path], [*read, *(options[name] for name in names)])
    return ReportPage(path, title, key_source(options).service_names())


def check_key_options(options: Mapping[str, Any]) -> None:
    """Refuse what does not go together. Raises `click.UsageError`."""
    if options["scenario"] is not None and options["profile"] is None and options["subscriber"] is None:
        raise click.UsageError("--scenario needs --profile: the head-end shares the subscriber's keys with the card")
    if options["scenario"] is not None and options["subscriber"] is None and not _has_profile(options):
        given = options["profile"]
        raise click.UsageError(f"--profile {given} is a card file: --scenario needs --subscriber PROFILE, too")
    if options["scenario"] is not None and options["ltkms"] is not None:
        raise click.UsageError("give --scenario or --ltkms, not both")
    on_wire = options["network"] is not None or options["bsm"] is not None
    if on_wire and (options["scenario"] is not None or options["ltkms"] is not None):
        raise click.UsageError("give --scenario, --ltkms, or a network (--network, --bsm)")
    if options["me"] is not None and not on_wire:
        raise click.UsageError("--me needs a network: --network or --bsm")
    if options["buy"] and options["scenario"] is None and not on_wire:
        raise click.UsageError("--buy needs somebody who sells: --scenario, --network or --bsm")


def key_source(options: Mapping[str, Any]) -> KeySource:
    """Return what `key_options` say; the subscriber is that of --profile where --subscriber names no other."""
    from host_tools.sessions.keys import KeySource

    return KeySource(options["scenario"], options["subscriber"] or options["profile"], options["ltkms"], options["buy"])


def _has_profile(options: Mapping[str, Any]) -> bool:
    from host_tools.sessions.cards import is_profile

    return is_profile(options["profile"])


@dataclass(frozen=True, slots=True)
class CardChoice:
    """Which card to use, and where its trace goes."""

    source: CardSource
    trace: TraceChoice

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> CardChoice:
        """Take the values of the options out of all that a command got; the environment has the secret of --sac."""
        chosen = {name: options[name] for name in ("link", "reader", "profile", "pin", "sac")}
        csim = options.get("csim", False)
        return cls(CardSource(**chosen, sac_key=_sac_key(), csim=csim), TraceChoice.of(options))

    @property
    def verbose(self) -> bool:
        """Whether each APDU is shown."""
        return self.trace.verbose

    @contextmanager
    def opened(self) -> Iterator[tuple[Link, TerminalMiddleware]]:
        """Open the trace and the card. Raises `CliError`, `SessionError`, `LinkError`, `CardError`."""
        with self.trace.opened() as sinks, self.source.opened(sinks, Console()) as opened:
            yield opened

    @contextmanager
    def connected(self) -> Iterator[CardMiddleware]:
        """Open trace and card, select USIM or CSIM and give the PIN. Raises as `opened` does, and `TerminalError`."""
        with self.trace.opened() as sinks, self.source.connected(sinks, Console(), ask_pin) as middleware:
            yield middleware


def _sac_key() -> Secret | None:
    from card.crypto.secret import Secret

    given = os.environ.get(KEY_VARIABLE)
    return Secret(os.fsencode(given)) if given else None
