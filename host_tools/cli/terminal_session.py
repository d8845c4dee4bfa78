"""What the terminal commands share: opening a link, the PIN, and errors as one sentence with an exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from host_tools.cli.exits import CARD, DIFFERENT, ENVIRONMENT, INPUT, CliError

if TYPE_CHECKING:
    from card.crypto.secret import Secret
    from host_tools.links.base import Link
    from host_tools.terminal.identity import Identity
    from host_tools.terminal.middleware import TerminalMiddleware

PIN_VARIABLE = "BCAST_UICC_PIN"
IN_PROCESS = "inprocess"
PCSC = "pcsc"


def parse_pin(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> Secret | None:
    """Read the option --pin. Raises `click.BadParameter`, which never shows what was given."""
    from card.crypto.secret import Secret

    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and 4 <= len(value) <= 8):
        raise click.BadParameter("a PIN has 4 to 8 digits")
    return Secret(value.encode())


@contextmanager
def explained() -> Iterator[None]:
    """Turn the errors of links, card, network and media into `CliError`."""
    from host_tools.apdu.response import StatusError
    from host_tools.content.errors import MediaError, OutputError
    from host_tools.headend.errors import HeadendError, VerificationError
    from host_tools.links.base import LinkError
    from host_tools.terminal.errors import TerminalError

    try:
        yield
    except LinkError as error:
        raise CliError(str(error), ENVIRONMENT) from error
    except (StatusError, TerminalError) as error:
        raise CliError(str(error), CARD) from error
    except VerificationError as error:
        raise CliError(_sentence(error), DIFFERENT) from error
    except OutputError as error:
        raise CliError(_sentence(error), ENVIRONMENT) from error
    except (HeadendError, MediaError) as error:
        raise CliError(_sentence(error), INPUT) from error


@contextmanager
def open_link(kind: str, reader: str | None, profile: Path | None) -> Iterator[Link]:
    """Open the card that the options name for the length of a `with` block.

    In process, `profile` is a card profile, for a card that lives as long as the process, or a card file. On PC/SC,
    `reader` is a reader's name or a part of it.
    """
    link = _in_process(profile) if kind == IN_PROCESS else _pcsc(reader)
    try:
        yield link
    finally:
        link.close()


def connect(middleware: TerminalMiddleware, pin: Secret | None) -> Identity:
    """Connect with the PIN, and where one is wanted and a person is there, ask for it."""
    from host_tools.terminal.errors import PinNeededError

    try:
        return middleware.connect(pin)
    except PinNeededError:
        if not sys.stdin.isatty():
            raise CliError(f"The card asks for its PIN: give --pin or set {PIN_VARIABLE}.", CARD) from None
    asked = click.prompt("PIN of the card", hide_input=True, err=True)
    return middleware.connect(parse_pin(click.get_current_context(), _NO_PARAMETER, asked))


_NO_PARAMETER = click.Option(["--pin"])


def _in_process(profile: Path | None) -> Link:
    from host_tools.cli.cards import is_profile, open_card_argument
    from host_tools.links.inprocess import InProcessLink

    if profile is None:
        raise click.UsageError("--link inprocess needs --profile: a card profile or a card file")
    return InProcessLink(open_card_argument(profile, fresh=is_profile(profile)))


def _pcsc(reader: str | None) -> Link:
    from host_tools.links.pcsc import PcscLink

    return PcscLink.open(reader)


def _sentence(error: Exception) -> str:
    text = str(error)
    return text if text.endswith(".") else f"{text}."
