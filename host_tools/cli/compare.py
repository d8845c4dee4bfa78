"""`bcast-uicc compare`: the same steps to two cards. Only parses and prints; the work is in `host_tools.compare`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from host_tools.cli.exits import CARD, DIFFERENT, ENVIRONMENT, CliError
from host_tools.cli.new_file import force_option, new_file, refuse_clash
from host_tools.cli.script import ALLOWED_VARIABLE, load_scripts, plain_script_errors, script_files
from host_tools.cli.terminal_options import which_card_options
from host_tools.cli.terminal_session import IN_PROCESS, PCSC, PIN_VARIABLE, explained, open_link, parse_pin
from host_tools.cli.trace_options import TraceChoice, recording_options, traced
from host_tools.files.writing import whole_text

if TYPE_CHECKING:
    from card.crypto.secret import Secret
    from host_tools.compare.allow import Rules
    from host_tools.compare.model import Comparison, SideRun
    from host_tools.links.base import Link
    from host_tools.script.model import Script
    from host_tools.script.runner import RunOptions
    from host_tools.trace.events import TraceSink

_FILE = click.Path(dir_okay=False, path_type=Path)
_PREFIX = f"{IN_PROCESS}:"
_SIDE_HELP = f"a reader, by its name or a part of it, or {_PREFIX}PROFILE for a card in this process"


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


@compare.command()
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
@click.option("--timeout", type=click.FloatRange(0.001, 3600), help="Seconds to wait for an answer.")
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
    from host_tools.compare.play import not_begun

    cards = [Path(side.removeprefix(_PREFIX)) for side in (side_a, side_b) if side.startswith(_PREFIX)]
    outputs = [html_file, json_file, *trace_files]
    refuse_clash(outputs, [*map(Path, names), *allow_files, *cards])  # what is written when it is interrupted early
    seen: list[SideRun] = []
    rules = Rules()

    def options(secret: Secret | None) -> RunOptions:
        return _options(secret, destructive=destructive, allow_iccid=allow_iccid, timeout=timeout,
                        keep_going=keep_going, seed=seed)  # fmt: skip

    try:
        with plain_script_errors():
            scripts, rules = load_scripts(names), _rules(allow_files, not no_default_allow)
        refuse_clash(outputs, script_files(scripts))
        with explained(), ExitStack() as stack:
            sinks = stack.enter_context(TraceChoice(files=trace_files, gsmtap=gsmtap).opened())
            link_a = stack.enter_context(_open(side_a))
            link_b = stack.enter_context(_open(side_b))
            seen.append(_play(link_a, scripts, options(pin), sinks))
            seen.append(_play(link_b, scripts, options(pin_b or pin), sinks, after=seen[0]))
    except KeyboardInterrupt:
        seen += map(not_begun, (side_a, side_b)[len(seen) :])
    _report(_compared(seen[0], seen[1], rules), html_file, json_file, show_allowed)


@compare.command()
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
    from host_tools.cli.compare_learn import Lesson
    from host_tools.compare.explore import explore

    with plain_script_errors():
        scripts = load_scripts(names)
    refuse_clash([output], [*script_files(scripts), *traces, subscriber, profile])
    lesson = Lesson.read(scripts, _options(pin, destructive=destructive, allow_iccid=allow_iccid), traces, subscriber)
    with new_file(output, force=force) as draft, explained(), open_link(link, reader, profile) as opened:
        found = explore(opened, pin)
        if not found.files:
            raise CliError(f"{found.name}: the card lets no file be selected: there is nothing to learn.", CARD)
        draft.file.write(lesson.propose(found, opened))
        draft.keep = True
    read = sum(item.content is not None for item in found.files.values())
    click.echo(f"{found.name}: {len(found.files)} files found, {read} read", err=True)


@contextmanager
def _open(side: str) -> Iterator[Link]:
    if not side.startswith(_PREFIX):
        with open_link(PCSC, side, None) as link:
            yield link
        return
    from host_tools.cli.cards import is_profile, open_card_argument
    from host_tools.links.inprocess import InProcessLink

    card = Path(side.removeprefix(_PREFIX))
    opened = InProcessLink(open_card_argument(card, fresh=is_profile(card)), f"{card} (in process)")
    try:
        yield opened
    finally:
        opened.close()


def _play(
    link: Link, scripts: list[Script], options: RunOptions, sinks: Sequence[TraceSink], after: SideRun | None = None
) -> SideRun:
    from host_tools.compare.model import INTERRUPTED
    from host_tools.compare.play import not_played, play_until_interrupted
    from host_tools.trace.known_secrets import KnownSecrets

    if after is not None and after.trouble == INTERRUPTED:
        return not_played(link)
    known = KnownSecrets()
    done = play_until_interrupted(traced(link, sinks, known), scripts, options, known)
    click.echo(f"{link.name}: {len(done.steps)} steps", err=True)
    return done


def _compared(a: SideRun, b: SideRun, rules: Rules) -> Comparison:
    from host_tools.compare.comparison import compare_runs

    return compare_runs(a, b, rules)


def _report(comparison: Comparison, html_file: Path | None, json_file: Path | None, show_allowed: bool) -> None:
    from host_tools.cli.rich_console import Console
    from host_tools.compare.as_json import write_json
    from host_tools.compare.html import write_html
    from host_tools.compare.model import INTERRUPTED
    from host_tools.compare.table import print_comparison

    for path, write in ((html_file, write_html), (json_file, write_json)):
        if path is not None:
            _write(path, comparison, write)
    print_comparison(comparison, Console(), show_allowed=show_allowed)
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


def _rules(paths: tuple[Path, ...], with_default: bool) -> Rules:
    from card.disk.kinds import RULES
    from card.disk.reading import read_text
    from host_tools.compare.allow import Rules, default_rules, parse_rules

    rules = default_rules() if with_default else Rules()
    for path in paths:
        rules += parse_rules(read_text(path, RULES), str(path))
    return rules


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
