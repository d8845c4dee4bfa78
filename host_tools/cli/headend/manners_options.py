"""Options of how a served network treats terminals, and where it says what happens."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from host_tools.cli.headend.air_options import place

if TYPE_CHECKING:
    from host_tools.sessions.serve import Manners

_Command = TypeVar("_Command", bound=Callable[..., Any])
_DEFAULT_REQUESTS = 600
_OPTIONS = (
    click.option(
        "--sms",
        metavar="ADDRESS:PORT",
        help="Reach terminals whose address is not known by short message: one TPDU a datagram to this UDP port, where "
        "`terminal online --sms-port` listens.",
    ),
    click.option(
        "--sms-form",
        type=click.Choice(["A", "B"]),
        default="A",
        show_default=True,
        help="A pull or trigger by short message as a WAP push (A) or as data to port 2269 or 4359 (B).",
    ),
    click.option(
        "--most-requests",
        type=click.IntRange(1),
        default=_DEFAULT_REQUESTS,
        show_default=True,
        help="Requests of one subscriber to the BSM in a minute; more are answered 503 with Retry-After.",
    ),
    click.option(
        "--remint/--no-remint",
        default=True,
        show_default=True,
        help="Make tokens anew that were in flight when the terminal bootstrapped again, unless it says that it took "
        "them; otherwise they stay in doubt until it answers.",
    ),
    click.option(
        "--log",
        type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
        help="Write what happens there, one JSON object a line, without secrets; - is standard output, and what a "
        "person reads goes to standard error. A file of before becomes FILE.1; so does one of 64 MiB.",
    ),
)


def manners_options(command: _Command) -> _Command:
    """Give a command the options."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def manners(sms: str | None, form: str, most_requests: int, *, remint: bool) -> Manners:
    """Return what the options say. Raises `click.UsageError`."""
    from host_tools.exchange.messages.sms_push import SmsForm
    from host_tools.headend.http.short_messages import SmsPlace
    from host_tools.sessions.serve import Manners

    chosen = SmsForm.A if form == "A" else SmsForm.B
    return Manners(most_requests, None if sms is None else SmsPlace(place("--sms", sms), chosen), remint)


@contextmanager
def words_beside(log: Path | None) -> Iterator[None]:
    """Say what is for a person on standard error where the log is on standard output."""
    if log is None or str(log) != "-":
        yield
        return
    with redirect_stdout(sys.stderr):
        yield
