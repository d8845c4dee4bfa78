"""`bcast-uicc script run`: runs, shows progress, and writes the reports whatever happens."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import click

from host_tools.cli.exits import ENVIRONMENT, CliError
from host_tools.links.base import Link
from host_tools.script.model import Script
from host_tools.script.reports import JsonReport, JunitReport, Report, explain
from host_tools.script.results import Status, StepResult, Summary
from host_tools.script.runner import Runner, RunOptions

_REFRESH = 0.1  # seconds between two looks of the progress line


@dataclass(frozen=True, slots=True)
class RunJob:
    """Everything the command line says about one run."""

    scripts: list[Script]
    options: RunOptions
    junit: Path | None
    json_file: Path | None
    quiet: bool

    def run(self, link: Link) -> tuple[Summary, bool]:
        """Run the scripts; return the totals, and whether the reader was lost."""
        total, lost = Summary(), False
        with ExitStack() as stack:
            runner = stack.enter_context(closing(Runner(link, self.options)))
            reports = [stack.enter_context(closing(report)) for report in self._reports()]
            progress = _Progress(self.quiet, to_stderr=self._json_to_stdout)
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
            click.echo(f"{len(self.scripts)} scripts: {total}", err=self._json_to_stdout)
        return total, lost

    @property
    def _json_to_stdout(self) -> bool:
        return str(self.json_file) == "-"

    def _reports(self) -> list[Report]:
        reports: list[Report] = []
        try:
            if self.junit is not None:
                reports.append(JunitReport(self.junit))
            if self.json_file is not None:
                if self._json_to_stdout:
                    reports.append(JsonReport(sys.stdout, keep_open=True))
                else:
                    reports.append(JsonReport(self.json_file.open("w", encoding="utf-8")))
        except OSError as error:
            raise CliError(f"{error.filename}: {error.strerror}", ENVIRONMENT) from None
        return reports


class _Progress:
    """A line that counts, on a terminal; and what did not pass, in full."""

    def __init__(self, quiet: bool, *, to_stderr: bool) -> None:
        self._quiet = quiet
        self._err = to_stderr
        self._live = not quiet and sys.stderr.isatty()
        self._shown_at = 0.0

    def show(self, script: str, result: StepResult, counts: Summary) -> None:
        """Take one result."""
        if not self._quiet and result.status in (Status.FAILED, Status.ERROR):
            self._clear()
            first, *others = explain(result)
            click.echo("\n".join((f"{result.status.value.upper()} {first}", *others)), err=self._err)
        if self._live and time.monotonic() - self._shown_at > _REFRESH:
            self._shown_at = time.monotonic()
            click.echo(f"\r\x1b[K{script}: {counts}  {result.label[:50]}", err=True, nl=False)

    def end(self, script: Script, counts: Summary) -> None:
        """Print the outcome of one script."""
        self._clear()
        click.echo(f"{script.name}: {counts}  ({counts.seconds:.2f} s) {script.title}", err=self._err)

    def _clear(self) -> None:
        if self._live:
            click.echo("\r\x1b[K", err=True, nl=False)
