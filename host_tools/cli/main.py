"""`bcast-uicc`: the one console script. Subcommands are imported when they are used, not before."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

import click

from host_tools.cli.exits import BROKEN_PIPE, INTERNAL, INTERRUPTED, explain
from host_tools.cli.lazy import LazyGroup
from host_tools.cli.table import commands_of

PROGRAM = "bcast-uicc"
DEBUG_VARIABLE = "BCAST_UICC_DEBUG"
COMPLETION_VARIABLE = "_BCAST_UICC_COMPLETE"


def _print_version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from importlib.metadata import version

    from host_tools.sessions.health import card_build

    click.echo(f"{PROGRAM} {version(PROGRAM)} ({card_build()})")
    ctx.exit()


@click.group(
    cls=LazyGroup,
    table=commands_of,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=(
        "\b\nQuick start:\n"
        "  bcast-uicc demo                        the whole job once, on a PC/SC reader of its own\n"
        "  bcast-uicc run PROFILE.toml -v         a card in your reader, one trace line per APDU\n"
        "  bcast-uicc terminal play FILE.pcap     decrypt a captured broadcast with the card"
    ),
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
def cli() -> None:
    """A software UICC for mobile broadcast (OMA BCAST Smartcard Profile), and the host side to test it."""


def invoke(arguments: Sequence[str]) -> int:
    """Run the command line `arguments` (without the program's name) and return the exit status.

    Errors come out as one sentence on standard error; a traceback only when BCAST_UICC_DEBUG is set.
    """
    _print_any_name()
    try:
        with cli.make_context(PROGRAM, list(arguments)) as ctx:
            cli.invoke(ctx)
        sys.stdout.flush()
    except click.exceptions.Exit as stop:
        return _flushed(stop.exit_code)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        with suppress(OSError):  # the terminal may be what has gone
            click.echo("interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        return _abandon_stdout()
    except Exception as error:
        return _report(error)
    return 0


def _print_any_name() -> None:
    """Let output show what it has no character for as an escape: the name of a file need not be text."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def _flushed(status: int) -> int:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return _abandon_stdout()
    return status


def _abandon_stdout() -> int:
    """Point standard output at nothing, or the interpreter's last flush would complain about the pipe."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return BROKEN_PIPE


def _report(error: Exception) -> int:
    """Print an error that no command handled as one line and return its exit status."""
    if os.environ.get(DEBUG_VARIABLE):
        sys.excepthook(type(error), error, error.__traceback__)
    known = explain(error)
    if known is not None:
        known.show()
        return known.exit_code
    # The text of an unexpected exception may hold anything, key material included: only its type is shown.
    click.echo(
        f"{PROGRAM}: internal error ({type(error).__name__}); please report it. "
        f"Run with {DEBUG_VARIABLE}=1 for the traceback.",
        err=True,
    )
    return INTERNAL


def main() -> None:
    """Entry point of the console script; ends the process with the exit status."""
    instruction = os.environ.get(COMPLETION_VARIABLE)
    if instruction:
        from click.shell_completion import shell_complete

        sys.exit(shell_complete(cli, {}, PROGRAM, COMPLETION_VARIABLE, instruction))
    sys.exit(int(invoke(sys.argv[1:])))


if __name__ == "__main__":
    main()
