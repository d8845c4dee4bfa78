"""Errors of sessions and of what they use, as one sentence with an exit code; and the PIN, given or asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from host_tools.cli.exits import CARD, DIFFERENT, ENVIRONMENT, INPUT, CliError, explain

if TYPE_CHECKING:
    from card.crypto.secret import Secret

PIN_VARIABLE = "BCAST_UICC_PIN"


def parse_pin(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> Secret | None:
    """Read the option --pin. Raises `click.BadParameter`, which never shows what was given."""
    from card.crypto.secret import Secret

    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and 4 <= len(value) <= 8):
        raise click.BadParameter("a PIN has 4 to 8 digits")
    return Secret(value.encode())


def ask_pin() -> Secret:
    """Ask the person there for the PIN that the card wants. Raises `CliError` where nobody is."""
    if not sys.stdin.isatty():
        raise CliError(f"The card asks for its PIN: give --pin or set {PIN_VARIABLE}.", CARD)
    asked = click.prompt("PIN of the card", hide_input=True, err=True)
    pin = parse_pin(click.get_current_context(), click.Option(["--pin"]), asked)
    if pin is None:
        raise click.Abort
    return pin


@contextmanager
def explained() -> Iterator[None]:
    """Turn the errors of sessions, links, card, network and media into `CliError`."""
    from host_tools.apdu.response import StatusError
    from host_tools.content.errors import MediaError, OutputError
    from host_tools.headend.errors import HeadendError, VerificationError
    from host_tools.links.base import LinkError
    from host_tools.sessions.errors import SessionError
    from host_tools.terminal.errors import TerminalError

    try:
        yield
    except SessionError as error:
        raise explain(error) or error from error
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
def session_errors() -> Iterator[None]:
    """Turn the errors of a session and of the card into `CliError`."""
    from card.errors import CardError
    from host_tools.sessions.errors import SessionError

    try:
        yield
    except (CardError, SessionError) as error:
        raise explain(error) or error from error


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn the errors of a session, the card's and those of the files into `CliError`."""
    from card.errors import CardError
    from host_tools.sessions.errors import SessionError

    try:
        yield
    except (CardError, OSError, SessionError) as error:
        raise explain(error) or CliError(str(error), ENVIRONMENT) from error


def _sentence(error: Exception) -> str:
    text = str(error)
    return text if text.endswith(".") else f"{text}."
