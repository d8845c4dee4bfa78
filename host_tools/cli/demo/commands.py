"""`bcast-uicc demo`: the whole job once, from a card profile to decrypted media, checked at every step."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from card.disk.kinds import CAPTURE
from card.disk.reading import open_plain
from host_tools.cli.exits import DIFFERENT, ENVIRONMENT, CliError
from host_tools.cli.explained import explained
from host_tools.cli.interrupts import interruptible
from host_tools.cli.numbers import NumberRange
from host_tools.cli.trace.options import TraceChoice, trace_options
from host_tools.files.temporary import temporary_folder
from host_tools.files.writing import told, whole_file
from host_tools.sessions.events import Event, LiveProgressed, Progressed, StepDone, Tuned
from host_tools.sessions.opening import IN_PROCESS, PCSC, traced

if TYPE_CHECKING:
    from card.crypto.secret import Secret
    from host_tools.cli.terminal.report import LiveTable
    from host_tools.content.captures.pcap import CaptureReader
    from host_tools.links.base import Link
    from host_tools.sessions.demo.job import Outcome, Side
    from host_tools.terminal.statistics import PlayStatistics
    from host_tools.trace.events import TraceSink

AUDIO_FOLDER = Path("bcast-demo")
_CARD_LOG = "card.log"
_PROGRAM = (sys.executable, "-m", "host_tools.cli.main")
_RUN = (*_PROGRAM, "run")


@click.command()
@click.option(
    "--link", type=click.Choice([PCSC, IN_PROCESS]), default=PCSC, show_default=True,
    help="Through a private pcscd and the vpcd driver, or with the card in this process.",
)  # fmt: skip
@click.option(
    "--wire/--no-wire", default=True, show_default=True,
    help="Head-end and terminal over HTTP and UDP on this computer, or by calls in this process.",
)  # fmt: skip
@click.option(
    "--live",
    is_flag=True,
    help="Tune in to a head-end that is on the air in a process of its own, to one service after the other.",
)
@click.option(
    "--speed",
    type=NumberRange(1.0, 100.0),
    default=1.0,
    show_default=True,
    help="How fast, with --live.",
)
@click.option("--csim", is_flag=True, help="Use the CSIM of a card, not a USIM: keys without GBA (provisional).")
@click.option(
    "--keep", metavar="DIR", type=click.Path(file_okay=False, path_type=Path),
    help=f"Keep card file and capture, too: everything in DIR, empty or new.  [default: the audio in {AUDIO_FOLDER}/]",
)  # fmt: skip
@click.option("--no-keep", is_flag=True, help="Keep nothing, not even the audio.")
@trace_options
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON and nothing else.")
def demo(
    link: str, wire: bool, live: bool, speed: float, csim: bool, keep: Path | None, no_keep: bool, as_json: bool,
    **trace: Any,
) -> None:  # fmt: skip
    """Do the whole job once and check every result.

    A card is personalised and put into a PC/SC reader; the terminal bootstraps with a test network, registers, takes
    the keys of two services, replays a recorded broadcast through the card and decrypts it. The result is compared
    with the network's own keys and media; the exit code is 1 when anything differs. What was heard is left as .wav
    files to listen to, beside a page to look at.

    With --live nothing is recorded first: the broadcast is on the air while the terminal registers, takes keys, listens
    to ten seconds of each service, and follows the SEKs that roll over.
    """
    if live and not wire:
        raise click.UsageError("--live is on wires: --no-wire does not go with it")
    if not live and speed != 1.0:
        raise click.UsageError("--speed needs --live")
    if keep is not None and no_keep:
        raise click.UsageError("give --keep or --no-keep, not both")
    audio = None if keep is not None or no_keep else _audio_folder()
    with explained(), ExitStack() as stack:
        stack.enter_context(interruptible())
        folder = stack.enter_context(_folder(keep))
        choice = TraceChoice.of(trace)
        sinks = stack.enter_context(choice.opened())
        steps = stack.enter_context(closing(_Steps(to_stderr=as_json, live=not choice.verbose)))
        if live:
            outcome = _run_live(link, folder, speed, steps, sinks, csim=csim)
        else:
            outcome = _run(_side(csim, wire=wire), link, folder, steps, sinks)
        if audio is not None:
            outcome.files = _copied(outcome.files, audio)
            outcome.page = None if outcome.page is None else _copy(outcome.page, audio / outcome.page.name)
        if no_keep:
            outcome.files, outcome.page = (), None
        _report(outcome, link, as_json)
    if outcome.differences:
        raise CliError(f"The result differs from the head-end's own: {outcome.differences[0]}.", DIFFERENT)


def _side(csim: bool, *, wire: bool) -> Side:
    if wire:
        from host_tools.sessions.demo.wired import WiredSide

        return WiredSide(csim=csim)
    if csim:
        from host_tools.sessions.demo.csim import CsimSide

        return CsimSide()
    from host_tools.sessions.demo.usim import UsimSide

    return UsimSide()


def _run(side: Side, link: str, folder: Path, steps: _Steps, sinks: Sequence[TraceSink]) -> Outcome:
    from host_tools.sessions.demo.card import CardProcessEnded, card_in_process, card_in_reader
    from host_tools.sessions.demo.job import DemoJob

    if link == IN_PROCESS:
        steps.say("The card runs in this process: neither pcscd nor vpcd is used.")
    untraced = card_in_process if link == IN_PROCESS else partial(card_in_reader, log=folder / _CARD_LOG, run=_RUN)

    @contextmanager
    def opened(card_file: Path) -> Iterator[Link]:
        with untraced(card_file) as plain:
            yield traced(plain, sinks)

    try:
        return DemoJob(side, folder, opened, steps).run()
    except CardProcessEnded as error:
        raise CliError(error.message, error.status or ENVIRONMENT) from error


def _run_live(
    link: str, folder: Path, speed: float, steps: _Steps, sinks: Sequence[TraceSink], *, csim: bool
) -> Outcome:
    from host_tools.sessions.demo.card import CardProcessEnded, card_in_reader
    from host_tools.sessions.demo.live import LiveDemo
    from host_tools.sessions.opening import CardSource

    if link == IN_PROCESS:
        steps.say("The card runs in this process: neither pcscd nor vpcd is used.")

    @contextmanager
    def opened(card_file: Path, pin: Secret | None) -> Iterator[CardSource]:
        if link == IN_PROCESS:
            yield CardSource(IN_PROCESS, profile=card_file, pin=pin, csim=csim)
            return
        with card_in_reader(card_file, folder / _CARD_LOG, _RUN) as plain:
            yield CardSource(PCSC, reader=plain.name, pin=pin, csim=csim)

    try:
        return LiveDemo(folder, opened, _PROGRAM, sinks, steps, speed, csim).run()
    except CardProcessEnded as error:
        raise CliError(error.message, error.status or ENVIRONMENT) from error


class _Steps:
    """Prints each step with a tick, and a live table while the broadcast plays."""

    def __init__(self, *, to_stderr: bool, live: bool) -> None:
        self._stderr = to_stderr
        self._live = live and not to_stderr
        self._table: LiveTable | None = None
        encoding = (sys.stderr if to_stderr else sys.stdout).encoding or "ascii"
        self._tick = "✓" if _encodable("✓“”", encoding) else "+"
        self._plain = self._tick == "+"

    def say(self, text: str) -> None:
        """Print a line."""
        click.echo(text.replace("“", '"').replace("”", '"') if self._plain else text, err=self._stderr)

    def emit(self, event: Event, /) -> None:
        """Show an event of the demo."""
        match event:
            case StepDone(words):
                self.close()
                self.say(f"{self._tick} {words}")
            case Progressed(statistics, capture) if self._live:
                self._show(statistics, capture)
            case Tuned(service, number, of):
                self.close()
                self.say(f"{self._tick} tuned to {service}, service {number} of {of}")
            case LiveProgressed(service, statistics, status) if self._live:
                self._show_air(service, statistics, status)
            case _:
                pass

    def close(self) -> None:
        """Take the live table away."""
        if self._table is not None:
            self._table.stop()

    def _show(self, statistics: PlayStatistics, capture: CaptureReader) -> None:
        from host_tools.cli.terminal.report import LiveTable, progress_row, statistics_rows

        if self._table is None:
            self._table = LiveTable("Replaying the broadcast")
        self._table.show(lambda: [progress_row(capture.share), *statistics_rows(statistics)])

    def _show_air(self, service: str, statistics: PlayStatistics, status: Mapping[str, object]) -> None:
        from host_tools.cli.terminal.live_show import live_rows
        from host_tools.cli.terminal.report import LiveTable

        if self._table is None:
            self._table = LiveTable("On the air")
        self._table.show(lambda: live_rows(service, statistics, status))


def _report(outcome: Outcome, link: str, as_json: bool) -> None:
    from host_tools.cli.terminal.report import print_json, print_table, statistics_rows

    files, page = list(map(str, outcome.files)), outcome.page
    if as_json:
        result = {
            "link": link,
            **outcome.statistics.as_dict(),
            "ltkms": outcome.ltkms,
            "sek_roll_overs": outcome.roll_overs,
            "service_switches": outcome.switches,
            "teks_checked": outcome.teks_checked,
            "differences": outcome.differences,
            "wire": None if outcome.crossed is None else outcome.crossed.as_dict(),
            "files": files,
            "page": None if page is None else str(page),
        }
        print_json(result)
        return
    rows = [("LTKMs delivered", str(outcome.ltkms)), *statistics_rows(outcome.statistics)]
    rows += [("Audio", file) for file in files] or [("Audio", "decrypted, compared, not kept")]
    rows += [] if page is None else [("Page to look at", str(page))]
    rows += [] if outcome.crossed is None else outcome.crossed.lines()
    rows += [("Different", difference) for difference in outcome.differences] or [("Different", "nothing")]
    print_table("Result", rows)


def _audio_folder() -> Path:
    """Return where the audio goes. Raises `CliError` at once where nothing can be written."""
    writable = AUDIO_FOLDER if AUDIO_FOLDER.exists() else AUDIO_FOLDER.parent
    if not (writable.is_dir() and os.access(writable, os.W_OK | os.X_OK)):
        raise CliError(f"the audio cannot be written into {AUDIO_FOLDER}/ here: use --keep DIR or --no-keep.")
    return AUDIO_FOLDER


def _copied(files: Sequence[Path], folder: Path) -> tuple[Path, ...]:
    """Copy files into a folder, over those of an earlier run, and return the copies. Raises `UnwritableFile`."""
    with told(folder):
        folder.mkdir(exist_ok=True)
    return tuple(_copy(file, folder / file.name) for file in files)


def _copy(file: Path, target: Path) -> Path:
    with open_plain(file, CAPTURE) as source, whole_file(target) as copy:
        shutil.copyfileobj(source, copy)
    return target


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """Yield the folder to keep, made if need be, or a temporary one that goes away."""
    if keep is None:
        with temporary_folder("demo") as folder:
            yield folder
        return
    try:
        keep.mkdir(parents=True, exist_ok=True)
        occupied = any(keep.iterdir())
    except OSError as error:
        raise CliError(f"{keep}: {error.strerror}", ENVIRONMENT) from None
    if occupied:
        raise click.UsageError(f"--keep {keep}: the folder is not empty")
    yield keep


def _encodable(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
