"""`bcast-uicc script run`: runs, shows progress, and writes the reports whatever happens."""

from __future__ import annotations

import difflib
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from host_tools.cli.new_file import new_file
from host_tools.links.base import Link
from host_tools.script.model import BUILT_IN, Script
from host_tools.script.reports import JsonReport, JunitReport, Report, SkippedSteps, explain
from host_tools.script.results import Status, StepResult, Summary
from host_tools.script.runner import Runner, RunOptions
from host_tools.trace.known_secrets import KnownSecrets
from host_tools.trace.printable import printable

_REFRESH = 0.1  # seconds between two looks of the progress line


@dataclass(frozen=True, slots=True)
class RunJob:
    """Everything the command line says about one run."""

    scripts: list[Script]
    options: RunOptions
    junit: Path | None
    json_file: Path | None
    quiet: bool

    def run(self, link: Link, known: KnownSecrets) -> tuple[Summary, bool]:
        """Run the scripts; return the totals, and whether the reader was lost. Secrets become `known`."""
        total, lost = Summary(), False
        with ExitStack() as stack:
            runner = stack.enter_context(closing(Runner(link, self.options, known)))
            reports = [stack.enter_context(_told_of_interruption(report)) for report in self._reports(stack)]
            progress = _Progress(self.quiet, to_stderr=self._report_to_stdout)
            for item in self.scripts:
                counts = Summary()
                for result in runner.run(item):
                    for report in reports:
                        report.add(result)
                    counts.add(result)
                    total.add(result)
                    lost |= result.lost
                    progress.show(item.name, result, counts)
                progress.end(item, counts)
                if lost and self.options.stop_on_lost:
                    break
        if len(self.scripts) > 1:
            click.echo(f"{len(self.scripts)} scripts: {total}", err=self._report_to_stdout)
        return total, lost

    @property
    def _report_to_stdout(self) -> bool:
        return "-" in (str(self.junit), str(self.json_file))

    def _reports(self, stack: ExitStack) -> Iterator[Report]:
        for make, path in ((JunitReport, self.junit), (JsonReport, self.json_file)):
            if path is None:
                continue
            if str(path) == "-":
                yield make(sys.stdout, keep_open=True)
                continue
            draft = stack.enter_context(new_file(path, force=True))
            draft.keep = True  # a report tells of a run that was cut short, too
            yield make(draft.file)


@contextmanager
def _told_of_interruption(report: Report) -> Iterator[Report]:
    """Close the report whatever happens, and let it say so when the run does not come to its end."""
    try:
        yield report
    except BaseException:
        report.interrupt()
        raise
    finally:
        report.close()


def check_settings(scripts: Sequence[Script], settings: Sequence[str]) -> None:
    """Raise `click.UsageError` for a setting NAME=HEX of a variable that no script has."""
    names = sorted({name for script in scripts for name in script.variables})
    for name in (setting.partition("=")[0] for setting in settings):
        if name in BUILT_IN:
            raise click.UsageError(f"--set {name}: it is set from the card")
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(names) or 'none'}"
            raise click.UsageError(f"--set {name}: no script has such a variable ({hint})")


class _Progress:
    """A line that counts, on a terminal; what did not pass, in full; and why steps were skipped."""

    def __init__(self, quiet: bool, *, to_stderr: bool) -> None:
        self._quiet = quiet
        self._err = to_stderr
        self._live = not quiet and sys.stderr.isatty()
        self._shown_at = 0.0
        self._skipped = SkippedSteps()

    def show(self, script: str, result: StepResult, counts: Summary) -> None:
        """Take one result."""
        self._skipped.add(result)
        if not self._quiet and result.status in (Status.FAILED, Status.ERROR):
            self._clear()
            first, *others = explain(result)
            click.echo("\n".join((f"{result.status.value.upper()} {first}", *others)), err=self._err)
        if self._live and time.monotonic() - self._shown_at > _REFRESH:
            self._shown_at = time.monotonic()
            click.echo(f"\r\x1b[K{script}: {counts}  {printable(result.label)[:50]}", err=True, nl=False)

    def end(self, script: Script, counts: Summary) -> None:
        """Print what was skipped and why, and the outcome of one script."""
        self._clear()
        skipped, self._skipped = self._skipped, SkippedSteps()
        for line in skipped.lines() if not self._quiet else ():
            click.echo(line, err=self._err)
        click.echo(f"{script.name}: {counts}  ({counts.seconds:.2f} s) {printable(script.title)}", err=self._err)

    def _clear(self) -> None:
        if self._live:
            click.echo("\r\x1b[K", err=True, nl=False)
