"""`bcast-uicc script`: run, check, record and convert APDU scripts. Only parses and prints."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from host_tools.cli.console import Console
from host_tools.cli.exits import DIFFERENT, ENVIRONMENT, INPUT, CliError
from host_tools.cli.new_file import force_option, new_file, refuse_clash
from host_tools.cli.numbers import NumberRange
from host_tools.cli.terminal.options import which_card_options
from host_tools.cli.trace.options import TraceChoice, open_traced_link, recording_options, trace_options
from host_tools.sessions.events import CardAnswered, Event, NotSent
from host_tools.sessions.scripts import load_scripts, script_files

if TYPE_CHECKING:
    from card.crypto.secret import Secret
    from host_tools.script.model import Script
    from host_tools.script.values import Value

_FILE = click.Path(dir_okay=False, path_type=Path)
_OUTPUT = click.Path(dir_okay=False, writable=True, path_type=Path, allow_dash=True)
ALLOWED_VARIABLE = "BCAST_UICC_ALLOW_ICCID"


@click.group()
def script() -> None:
    """Run APDU scripts, and the conformance suite, against any card."""


@script.command(short_help="Run scripts and suites against one card.")
@click.argument("names", metavar="FILE|SUITE...", nargs=-1, required=True)
@which_card_options
@trace_options
@click.option("--junit", type=_OUTPUT, help="Write the results as JUnit XML; - for standard output.")
@click.option("--json", "json_file", type=_OUTPUT, help="Write the results as JSON lines; - for standard output.")
@click.option("--destructive", is_flag=True, help="Do destructive steps, on a card that --allow-iccid names.")
@click.option(
    "--allow-iccid",
    multiple=True,
    envvar=ALLOWED_VARIABLE,
    metavar="DIGITS",
    help="ICCID of a card that destructive steps may change. Repeatable.",
)
@click.option("--set", "settings", multiple=True, metavar="NAME=HEX", help="Give a variable of the scripts a value.")
@click.option("--timeout", type=NumberRange(0.001, 3600), help="Seconds to wait for an answer.")
@click.option("--stop", "stop_on_failure", is_flag=True, help="End a script at its first failure.")
@click.option("--keep-going", is_flag=True, help="Go on even when the reader does not answer any more.")
@click.option("--seed", type=int, help="Seed of random variables, for doing the same again.")
@click.option("-q", "--quiet", is_flag=True, help="Print only the summary.")
def run(
    names: tuple[str, ...], reader: str | None, link: str, profile: Path | None, pin: Secret | None,
    junit: Path | None, json_file: Path | None, destructive: bool, allow_iccid: tuple[str, ...],
    settings: tuple[str, ...], timeout: float | None, stop_on_failure: bool, keep_going: bool, seed: int | None,
    quiet: bool, **trace: Any,
) -> None:  # fmt: skip
    """Run scripts against one card: files, folders, names of suites that ship, or `all` of those.

    No file is written, created or deleted and no PIN changed unless --destructive is given and the card's ICCID is on
    the list. AUTHENTICATE moves the card's sequence number on, as attaching to a network does. A PIN is never tried
    with fewer than two tries left, and one that was refused is not given again.
    """
    from host_tools.cli.script.run import RunJob, check_settings
    from host_tools.script.runner import RunOptions
    from host_tools.trace.known_secrets import KnownSecrets

    if str(junit) == str(json_file) == "-":
        raise click.UsageError("--junit - and --json -: only one of them fits standard output")

    options = RunOptions(
        pin=pin,
        variables=_settings(settings, pin),
        destructive=destructive,
        allowed_iccids=frozenset(allow_iccid),
        timeout=timeout,
        stop_on_failure=stop_on_failure,
        stop_on_lost=not keep_going,
        seed=seed,
    )
    with plain_script_errors():
        loaded = load_scripts(names)
    check_settings(loaded, settings)
    refuse_clash([junit, json_file, *trace["trace_files"]], [*script_files(loaded), profile])
    _print_remarks(loaded)
    job = RunJob(loaded, options, junit, json_file, quiet)
    known = KnownSecrets()
    with TraceChoice.of(trace).opened() as sinks, open_traced_link(link, reader, profile, sinks, known) as opened:
        summary, lost = job.run(opened, known)
    if lost:
        raise CliError(f"The reader was lost on the way; {summary}.", ENVIRONMENT)
    if not summary.good:
        raise click.exceptions.Exit(int(DIFFERENT))


@script.command(name="list", short_help="List the conformance suites that ship.")
def list_suites() -> None:
    """List the conformance suites that ship, and what each is about."""
    from host_tools.script.load import load_script, shipped_suites

    for name, path in shipped_suites().items():
        loaded = load_script(path)
        click.echo(f"{name:<14} {loaded.title}")


@script.command(short_help="Check scripts without a card.")
@click.argument("names", metavar="FILE|SUITE...", nargs=-1, required=True)
@click.option("--strict", is_flag=True, help="Remarks count as errors.")
def lint(names: tuple[str, ...], strict: bool) -> None:
    """Check scripts without a card: errors with file, line and hint, and remarks about what is probably not meant."""
    from host_tools.script.lint import lint_script

    remarks = 0
    with plain_script_errors():
        loaded = load_scripts(names)
    for item in loaded:
        for problem in lint_script(item):
            click.echo(str(problem))
            remarks += 1
    click.echo(f"{len(loaded)} scripts can be run, {remarks} remarks", err=True)
    if strict and remarks:
        raise click.exceptions.Exit(int(INPUT))


@script.command(short_help="Turn a session into a script.")
@click.argument("output", type=_OUTPUT)
@which_card_options
@recording_options
@click.option("--from", "trace_file", type=_FILE, metavar="TRACE", help="Take a trace file instead of a live session.")
@click.option("--title", help="Title of the script.")
@click.option("--no-data", is_flag=True, help="Expect status words and lengths only.")
@force_option
def record(
    output: Path, reader: str | None, link: str, profile: Path | None, pin: Secret | None, trace_file: Path | None,
    title: str | None, no_data: bool, force: bool, **trace: Any,
) -> None:  # fmt: skip
    """Turn a session into a script.

    Commands are read from standard input, one per line (CLA INS P1 P2 [data] [/le]), sent, and written to OUTPUT (- for
    standard output) with the answers as expectations. With --from the session is one that was traced before. A PIN is
    not sent with fewer than two tries left; then the exit status is 4.
    """
    from host_tools.files.piped import piped_lines
    from host_tools.script.writer import ScriptWriter
    from host_tools.sessions.script_record import record_session
    from host_tools.sessions.trace_files import replay

    _ = pin  # the script asks for it when it runs; a session gives it as a command
    to_stdout = str(output) == "-"
    refuse_clash([output, *trace["trace_files"]], [trace_file, profile])
    with new_file(output, force=force) as draft:
        title = title or ("recorded session" if to_stdout else output.stem)
        writer = ScriptWriter(draft.file, title, expect_data=not no_data)
        if trace_file is not None:
            replay(trace_file, writer, Console())
            draft.keep = writer.steps > 0  # of a trace that breaks off, nothing
        else:
            try:
                with (
                    closing(writer), TraceChoice.of(trace).opened() as sinks,
                    open_traced_link(link, reader, profile, sinks) as opened,
                ):  # fmt: skip
                    record_session(opened, writer, piped_lines(sys.stdin), _Answers(to_stderr=to_stdout))
            finally:
                draft.keep = writer.steps > 0  # of a session, what there was
    if not draft.keep:
        raise CliError("nothing was recorded: no command came", INPUT)


class _Answers(Console):
    """Prints what the card says in a session that is recorded."""

    def __init__(self, *, to_stderr: bool) -> None:
        self._err = to_stderr

    def emit(self, event: Event, /) -> None:
        """Show the event."""
        match event:
            case CardAnswered(words):
                click.echo(words, err=self._err)
            case NotSent(why):
                click.echo(f"not sent: {why}", err=self._err)
            case _:
                super().emit(event)


@script.command(short_help="Write a script for another program.")
@click.argument("name", metavar="FILE|SUITE")
@click.option(
    "--format", "form", type=click.Choice(["scriptor"]), default="scriptor", show_default=True,
    help="For which program.",
)  # fmt: skip
@click.option("-o", "--output", type=_OUTPUT, default="-", help="Where to write.  [default: standard output]")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=HEX",
    help="Give a variable a value, also one that is captured or comes from the card, such as usim_aid.",
)
@force_option
def export(name: str, form: str, output: Path, settings: tuple[str, ...], force: bool) -> None:
    """Write a script for another program: loops unrolled, and computed what follows from constants.

    Steps that need an answer of the card or a secret are left out, with a comment that says what is missing; --set
    gives it. Conditions are not looked at. The comment `# destructive` stands before a step that changes the card.
    """
    from host_tools.script.load import find_scripts, load_script
    from host_tools.script.scriptor import script_as_scriptor

    _ = form
    with plain_script_errors():
        found = find_scripts([name])
        if len(found) > 1:
            raise click.UsageError(f"{name} stands for {len(found)} scripts; name one of them")
        loaded = load_script(found[0])
    refuse_clash([output], script_files([loaded]))
    _write_lines(output, script_as_scriptor(loaded, _settings(settings, None)), force=force)


@script.command(name="import", short_help="Make a script of an APDU log or .scriptor file.")
@click.argument("file", type=_FILE)
@click.option("-o", "--output", type=_OUTPUT, default="-", help="Where to write.  [default: standard output]")
@click.option("--with-data", is_flag=True, help="Expect the data that the log shows, too.")
@force_option
def import_(file: Path, output: Path, with_data: bool, force: bool) -> None:
    """Turn a .scriptor file, an APDU log of pySim or one command per line into a script."""
    from card.disk.kinds import APDU_LOG
    from card.disk.reading import read_text
    from host_tools.script.oneline import parse_lines
    from host_tools.script.writer import script_as_toml

    with plain_script_errors():
        text = read_text(file, APDU_LOG)
        loaded = parse_lines(text.splitlines(), file.stem, str(file), expect_data=with_data)
    refuse_clash([output], [file])
    _print_remarks([loaded])
    _write_lines(output, script_as_toml(loaded), force=force)


@contextmanager
def plain_script_errors() -> Iterator[None]:
    """Turn what is wrong with a script into `CliError`."""
    from host_tools.script.errors import NoScript, ScriptError

    try:
        yield
    except NoScript as error:
        raise click.UsageError(str(error)) from None
    except ScriptError as error:
        raise CliError(str(error), INPUT) from error


def _print_remarks(scripts: list[Script]) -> None:
    for problem in (problem for item in scripts for problem in item.remarks):
        click.echo(f"{problem}", err=True)


def _write_lines(output: Path, lines: Iterable[str], *, force: bool) -> None:
    with new_file(output, force=force) as draft:
        draft.file.writelines(f"{line}\n" for line in lines)
        draft.keep = True


def _settings(settings: tuple[str, ...], pin: Secret | None) -> dict[str, Value]:
    from host_tools.script.values import Value, pin_values

    values = pin_values(pin)
    for setting in settings:
        name, _, text = setting.partition("=")
        try:
            values[name] = Value(bytes.fromhex(text))
        except ValueError:
            raise click.UsageError(f"--set {name}: NAME=HEX is wanted") from None
    return values
