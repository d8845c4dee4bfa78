"""`bcast-uicc compare`: the same steps to two cards. Only parses and prints; the work is in `host_tools.compare`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from host_tools.cli.console import Console
from host_tools.cli.exits import CARD, DIFFERENT, ENVIRONMENT, CliError
from host_tools.cli.explained import PIN_VARIABLE, explained, parse_pin
from host_tools.cli.new_file import force_option, new_file, refuse_clash
from host_tools.cli.numbers import NumberRange
from host_tools.cli.script.commands import ALLOWED_VARIABLE, plain_script_errors
from host_tools.cli.terminal.options import which_card_options
from host_tools.cli.trace.options import TraceChoice, recording_options
from host_tools.files.writing import whole_text
from host_tools.sessions.comparing import PREFIX
from host_tools.sessions.events import Event, SideDone
from host_tools.sessions.opening import open_link
from host_tools.sessions.scripts import load_scripts, script_files

if TYPE_CHECKING:
    from card.crypto.secret import Secret
    from host_tools.compare.model import Comparison
    from host_tools.script.runner import RunOptions

_FILE = click.Path(dir_okay=False, path_type=Path)
_SIDE_HELP = f"a reader, by its name or a part of it, or {PREFIX}PROFILE for a card in this process"


class _DefaultGroup(click.Group):
    """Takes `compare ...` for `compare run ...`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the name of the default command in front where no command is named."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args.insert(0, "run")
        return super().parse_args(ctx, args)


@click.group(cls=_DefaultGroup, subcommand_metavar="[run] [OPTIONS] SCRIPT...  |  learn [OPTIONS]")
def compare() -> None:
    """Send the same steps to two cards and tell what differs, or learn a profile from a card."""


@compare.command(short_help="Run scripts against two cards and tell what differs.")
@click.argument("names", metavar="FILE|SUITE...", nargs=-1, required=True)
@click.option("--a", "side_a", required=True, metavar="READER", help=f"First side: {_SIDE_HELP}.")
@click.option("--b", "side_b", required=True, metavar="READER", help="Second side, likewise.")
@click.option(
    "--pin",
    envvar=PIN_VARIABLE,
    callback=parse_pin,
    metavar="DIGITS",
    help=f"PIN of both cards; better given in the environment as {PIN_VARIABLE}.",
)
@click.option(
    "--pin-b",
    envvar=f"{PIN_VARIABLE}_B",
    callback=parse_pin,
    metavar="DIGITS",
    help="PIN of the second card where it is another one.",
)
@click.option("--allow", "allow_files", type=_FILE, multiple=True, help="More allowed differences (TOML). Repeatable.")
@click.option("--no-default-allow", is_flag=True, help="Leave out the allowed differences that ship.")
@click.option("--html", "html_file", type=_FILE, help="Write one self-contained HTML page.")
@click.option("--json", "json_file", type=_FILE, help="Write everything as JSON.")
@click.option("--show-allowed", is_flag=True, help="List allowed differences, too.")
@click.option("--timeout", type=NumberRange(0.001, 3600), help="Seconds to wait for an answer.")
@click.option("--keep-going", is_flag=True, help="Go on even when a reader does not answer any more.")
@click.option("--destructive", is_flag=True, help="Do destructive steps, on cards that --allow-iccid names.")
@click.option(
    "--allow-iccid",
    multiple=True,
    envvar=ALLOWED_VARIABLE,
    metavar="DIGITS",
    help="ICCID of a card that destructive steps may change. Repeatable.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of random variables, the same for both.")
@recording_options
def run(
    names: tuple[str, ...], side_a: str, side_b: str, pin: Secret | None, pin_b: Secret | None,
    allow_files: tuple[Path, ...], no_default_allow: bool, html_file: Path | None, json_file: Path | None,
    show_allowed: bool, timeout: float | None, keep_going: bool, destructive: bool, allow_iccid: tuple[str, ...],
    seed: int, trace_files: tuple[Path, ...], gsmtap: str | None,
) -> None:  # fmt: skip
    """Run scripts against two cards, first A, then B, and tell what differs.

    Exit status 0 when only allowed differences were seen, 1 when there were others, 3 when a reader was lost, 130 when
    Ctrl-C ended it; the reports are written in each case.
    """
    from host_tools.compare.allow import Rules
    from host_tools.sessions.comparing import CompareJob, Side, read_rules

    outputs = [html_file, json_file, *trace_files]
    rules = Rules()

    def options(secret: Secret | None) -> RunOptions:
        return _options(secret, destructive=destructive, allow_iccid=allow_iccid, timeout=timeout,
                        keep_going=keep_going, seed=seed)  # fmt: skip

    job = CompareJob(Side(side_a, options(pin)), Side(side_b, options(pin_b or pin)))
    cards = [side.file for side in (job.a, job.b)]
    refuse_clash(outputs, [*map(Path, names), *allow_files, *cards])  # what is written when it is interrupted early
    try:
        with plain_script_errors():
            scripts, rules = load_scripts(names), read_rules(allow_files, with_default=not no_default_allow)
        refuse_clash(outputs, script_files(scripts))
        with explained(), TraceChoice(files=trace_files, gsmtap=gsmtap).opened() as sinks:
            job.run(scripts, sinks, _Show())
    except KeyboardInterrupt:
        job.interrupted()
    _report(job.compared(rules), html_file, json_file, show_allowed)


@compare.command(short_help="Propose a profile that answers as a card does.")
@click.argument("names", metavar="[FILE|SUITE]...", nargs=-1)
@which_card_options
@click.option(
    "--from-trace",
    "traces",
    type=_FILE,
    multiple=True,
    help="A trace of this card (JSON lines), to learn its OMA BCAST tables from. Repeatable.",
)
@click.option(
    "--subscriber",
    type=_FILE,
    help="A card profile with the keys of this card. They are used for trials and written nowhere.",
)
@click.option("--destructive", is_flag=True, help="Do destructive steps of the scripts, on cards --allow-iccid names.")
@click.option(
    "--allow-iccid",
    multiple=True,
    envvar=ALLOWED_VARIABLE,
    metavar="DIGITS",
    help="ICCID of a card that destructive steps may change. Repeatable.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    default="-",
    help="Where the profile goes.  [default: standard output]",
)
@force_option
def learn(
    names: tuple[str, ...], reader: str | None, link: str, profile: Path | None, pin: Secret | None,
    traces: tuple[Path, ...], subscriber: Path | None, destructive: bool, allow_iccid: tuple[str, ...], output: Path,
    force: bool,
) -> None:  # fmt: skip
    """Propose a profile with which the emulator answers as this card does.

    The card is read, and where scripts are named, they run on it. From them and from traces follow the tables of the
    OMA BCAST commands: the emulator does the same, and what makes it answer alike is kept. Keys and PINs cannot be
    read from a card: the profile has placeholders for them, and what could not be learned is said in comments.
    """
    from host_tools.compare.explore import explore
    from host_tools.sessions.learn import Lesson

    with plain_script_errors():
        scripts = load_scripts(names)
    refuse_clash([output], [*script_files(scripts), *traces, subscriber, profile])
    lesson = Lesson.read(scripts, _options(pin, destructive=destructive, allow_iccid=allow_iccid), traces, subscriber)
    with new_file(output, force=force) as draft, explained(), open_link(link, reader, profile, Console()) as opened:
        found = explore(opened, pin)
        if not found.files:
            raise CliError(f"{found.name}: the card lets no file be selected: there is nothing to learn.", CARD)
        draft.file.write(lesson.propose(found, opened))
        draft.keep = True
    read = sum(item.content is not None for item in found.files.values())
    click.echo(f"{found.name}: {len(found.files)} files found, {read} read", err=True)


class _Show(Console):
    """Says how far the comparison is."""

    def emit(self, event: Event, /) -> None:
        """Show the event."""
        match event:
            case SideDone(name, run):
                click.echo(f"{name}: {len(run.steps)} steps", err=True)
            case _:
                super().emit(event)


def _report(comparison: Comparison, html_file: Path | None, json_file: Path | None, show_allowed: bool) -> None:
    from host_tools.cli.compare.table import print_comparison
    from host_tools.cli.rich_console import Console as RichConsole
    from host_tools.compare.as_json import write_json
    from host_tools.compare.html import write_html
    from host_tools.compare.model import INTERRUPTED

    for path, write in ((html_file, write_html), (json_file, write_json)):
        if path is not None:
            _write(path, comparison, write)
    print_comparison(comparison, RichConsole(), show_allowed=show_allowed)
    if INTERRUPTED in (comparison.a.trouble, comparison.b.trouble):
        raise click.Abort
    lost = [f"{side.name}: {side.trouble}" for side in (comparison.a, comparison.b) if side.trouble]
    if lost:
        raise CliError(" ".join(lost), ENVIRONMENT)
    if not comparison.is_allowed:
        raise click.exceptions.Exit(int(DIFFERENT))


def _write(path: Path, comparison: Comparison, write: Callable[[Comparison, TextIO], None]) -> None:
    with whole_text(path) as file:
        write(comparison, file)
    click.echo(f"{path}: {len(comparison.pairs)} commands", err=True)


def _options(
    pin: Secret | None, *, destructive: bool, allow_iccid: tuple[str, ...], timeout: float | None = None,
    keep_going: bool = False, seed: int = 1,
) -> RunOptions:  # fmt: skip
    from host_tools.script.runner import RunOptions
    from host_tools.script.values import pin_values

    return RunOptions(
        pin=pin, variables=pin_values(pin), destructive=destructive, allowed_iccids=frozenset(allow_iccid),
        timeout=timeout, stop_on_lost=not keep_going, seed=seed,
    )  # fmt: skip
