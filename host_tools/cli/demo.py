"""`bcast-uicc demo`: the whole job once, from a card profile to decrypted media, checked at every step."""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from host_tools.cli.exits import DIFFERENT, ENVIRONMENT, CliError
from host_tools.cli.terminal_session import IN_PROCESS, PCSC, explained

if TYPE_CHECKING:
    from host_tools.cli.demo_job import Outcome, Side
    from host_tools.links.base import Link
    from host_tools.terminal.statistics import PlayStatistics

_CARD_LOG = "card.log"


@click.command()
@click.option(
    "--link", type=click.Choice([PCSC, IN_PROCESS]), default=PCSC, show_default=True,
    help="Through a private pcscd and the vpcd driver, or with the card in this process.",
)  # fmt: skip
@click.option("--csim", is_flag=True, help="Use the CSIM of a card, not a USIM: keys without GBA (provisional).")
@click.option(
    "--keep", metavar="DIR", type=click.Path(file_okay=False, path_type=Path),
    help="Keep card file, capture and decrypted audio in DIR, which must be empty or new.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON and nothing else.")
def demo(link: str, csim: bool, keep: Path | None, as_json: bool) -> None:
    """Do the whole job once and check every result.

    A card is personalised and put into a PC/SC reader; the terminal bootstraps with a test network, takes the
    keys of two services, replays a recorded broadcast through the card and decrypts it. The result is compared
    with the network's own keys and media; the exit code is 1 when anything differs.
    """
    with explained(), ExitStack() as stack:
        stack.enter_context(_ended_like_interrupted())
        folder = stack.enter_context(_folder(keep))
        outcome = _run(_side(csim), link, folder, as_json)
        _report(outcome, keep, link, as_json)
    if outcome.differences:
        raise CliError(f"The result differs from the head-end's own: {outcome.differences[0]}.", DIFFERENT)


def _side(csim: bool) -> Side:
    if csim:
        from host_tools.cli.demo_csim import CsimSide

        return CsimSide()
    from host_tools.cli.demo_usim import UsimSide

    return UsimSide()


def _run(side: Side, link: str, folder: Path, as_json: bool) -> Outcome:
    from host_tools.cli.demo_job import DemoJob

    reporter = _Steps(to_stderr=as_json)
    if link == IN_PROCESS:
        reporter.say("The card runs in this process: neither pcscd nor vpcd is used.")
    return DemoJob(side, folder, _opener(link, folder), reporter).run()


def _opener(link: str, folder: Path) -> Callable[[Path], AbstractContextManager[Link]]:
    from host_tools.cli.demo_card import card_in_process, card_in_reader

    return card_in_process if link == IN_PROCESS else partial(card_in_reader, log=folder / _CARD_LOG)


class _Steps:
    """Prints each step with a tick, and a live table while the broadcast plays."""

    def __init__(self, to_stderr: bool) -> None:
        self._stderr = to_stderr
        encoding = (sys.stderr if to_stderr else sys.stdout).encoding or "ascii"
        self._tick = "✓" if _encodable("✓“”", encoding) else "+"
        self._plain = self._tick == "+"

    def say(self, text: str) -> None:
        """Print a line."""
        click.echo(text.replace("“", '"').replace("”", '"') if self._plain else text, err=self._stderr)

    def step(self, text: str) -> None:
        """Print a finished step."""
        self.say(f"{self._tick} {text}")

    def playing(self, statistics: PlayStatistics) -> AbstractContextManager[Callable[[], None]]:
        """Show the counters while the broadcast plays."""
        from host_tools.cli.terminal_report import live_table, statistics_rows

        return live_table(not self._stderr, "Replaying the broadcast", lambda: statistics_rows(statistics))


def _report(outcome: Outcome, keep: Path | None, link: str, as_json: bool) -> None:
    from host_tools.cli.terminal_report import print_json, print_table, statistics_rows

    files = [str(path) for path in outcome.files] if keep else []
    if as_json:
        result = {
            "link": link,
            **outcome.statistics.as_dict(),
            "ltkms": outcome.ltkms,
            "teks_checked": outcome.teks_checked,
            "differences": outcome.differences,
            "files": files,
        }
        print_json(result)
        return
    rows = [("LTKMs delivered", str(outcome.ltkms)), *statistics_rows(outcome.statistics)]
    rows += [("Audio", file) for file in files] or [("Audio", "decrypted, compared, not kept (see --keep)")]
    rows += [("Different", difference) for difference in outcome.differences] or [("Different", "nothing")]
    print_table("Result", rows)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """Yield the folder to keep, made if need be, or a temporary one that goes away."""
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="bcast-uicc-demo-") as folder:
            yield Path(folder)
        return
    try:
        keep.mkdir(parents=True, exist_ok=True)
        occupied = any(keep.iterdir())
    except OSError as error:
        raise CliError(f"{keep}: {error.strerror}", ENVIRONMENT) from None
    if occupied:
        raise click.UsageError(f"--keep {keep}: the folder is not empty")
    yield keep


@contextmanager
def _ended_like_interrupted() -> Iterator[None]:
    """Let a request to end (SIGTERM) clean up as Ctrl-C does."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _encodable(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
