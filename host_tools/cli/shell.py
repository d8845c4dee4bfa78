"""`bcast-uicc shell`: talk to a card by hand. Only parses and prints; the work is in `host_tools.shell`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from host_tools.cli.exits import CARD, CliError
from host_tools.cli.terminal_options import which_card_options
from host_tools.cli.trace_options import TraceChoice, open_traced_link, recording_options

if TYPE_CHECKING:
    from card.crypto.secret import Secret
    from host_tools.shell.session import Session


@click.command()
@which_card_options
@recording_options
@click.option("--history", type=click.Path(dir_okay=False, path_type=Path), help="Where lines are remembered.")
def shell(
    reader: str | None, link: str, profile: Path | None, pin: Secret | None, history: Path | None, **trace: Any
) -> None:
    """Talk to a card: select files by name, read them decoded, send any command, record a script.

    Type help for the commands. Lines can be piped in; then the first that fails ends the shell with status 4.
    """
    from host_tools.shell.session import Session

    interactive = sys.stdin.isatty()
    with TraceChoice.of(trace).opened() as sinks, open_traced_link(link, reader, profile, sinks) as opened:
        session = Session(opened, click.echo, lambda prompt: pin or _ask_pin(prompt, interactive))
        with closing(session):
            _serve(session, _lines(session, opened.name, history, interactive), interactive)


def _lines(session: Session, name: str, history: Path | None, interactive: bool) -> Iterator[str]:
    from host_tools.files.piped import piped_lines
    from host_tools.shell.lines import history_file, typed_lines

    if not interactive:
        return piped_lines(sys.stdin)
    click.echo("help lists the commands; Tab completes; Ctrl-D leaves")
    return typed_lines(f"{name}> ", session.complete, history or history_file())


def _serve(session: Session, lines: Iterator[str], interactive: bool) -> None:
    from host_tools.shell.session import Quit, ShellError

    for line in lines:
        try:
            session.run(line)
        except Quit:
            return
        except ShellError as error:
            if not interactive:
                raise CliError(str(error), CARD) from error
            click.echo(str(error), err=True)


def _ask_pin(prompt: str, interactive: bool) -> Secret | None:
    from card.crypto.secret import Secret

    if not interactive:
        return None
    digits = click.prompt(prompt.rstrip(": "), hide_input=True, default="", show_default=False)
    if not (digits.isascii() and digits.isdigit() and 4 <= len(digits) <= 8):
        click.echo("A PIN has 4 to 8 digits; none was tried.", err=True)
        return None
    return Secret(digits.encode())
