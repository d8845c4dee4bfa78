"""Writes results as they come: JUnit XML, JSON lines. Neither keeps them in memory."""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from typing import IO, Protocol
from xml.sax.saxutils import escape, quoteattr

from host_tools.script.results import Status, StepResult, Summary
from host_tools.trace.commands import describe_command
from host_tools.trace.decode import decode_exchange
from host_tools.trace.printable import printable
from host_tools.trace.text import show_with_gaps

# What XML 1.0 cannot hold, escaped or not (XML 1.0 clause 2.2).
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


_INTERRUPTED = "interrupted"
_CUT_SHORT = "the run was cut short: steps that were still to come are missing"


class Report(Protocol):
    """Takes results one by one."""

    def add(self, result: StepResult, /) -> None:
        """Take one result."""

    def interrupt(self) -> None:
        """Note that the run was cut short: what is in the report is not all there was to do."""

    def close(self) -> None:
        """Finish the report. Called also when the run ended early."""


class JsonReport:
    """One JSON object per result, and one for the summary, in a text file.

    The report closes the file, unless it is told to `keep_open`.
    """

    def __init__(self, file: IO[str], *, keep_open: bool = False) -> None:
        self._file = file
        self._keep_open = keep_open
        self._done = False
        self._summary = Summary()
        self._interrupted = False

    def add(self, result: StepResult) -> None:
        """Write one line."""
        self._summary.add(result)
        self._file.write(json.dumps(result_as_dict(result)) + "\n")

    def interrupt(self) -> None:
        """Note that the run was cut short, which is not good."""
        self._interrupted = True

    def close(self) -> None:
        """Write the summary and close the file. Closing twice is harmless."""
        if self._done:
            return
        self._done = True
        totals = self._summary
        line = {
            "summary": {
                "passed": totals.passed, "failed": totals.failed, "errors": totals.errors, "skipped": totals.skipped,
                "seconds": round(totals.seconds, 6), "good": totals.good and not self._interrupted,
                "interrupted": self._interrupted,
            }
        }  # fmt: skip
        self._file.write(json.dumps(line) + "\n")
        if not self._keep_open:
            self._file.close()


def result_as_dict(result: StepResult) -> dict[str, object]:
    """Return what a report may show of a result, ready for JSON."""
    shown: dict[str, object] = {
        "script": result.script,
        "number": result.number,
        "name": result.name,
        "round": result.round,
        "place": str(result.place),
        "clause": result.clause,
        "status": result.status.value,
        "reason": result.reason,
        "seconds": round(result.seconds, 7),
        "differences": [
            {"aspect": item.aspect.value, "path": item.path, "wanted": item.wanted, "got": item.got}
            for item in result.differences
        ],
    }
    if result.exchange is not None:
        event = result.exchange
        shown["command"] = show_with_gaps(event.command, event.hidden_command)
        shown["response"] = show_with_gaps(event.response, event.hidden_response)
        shown["file"] = event.file
    return shown


class JunitReport:
    """JUnit XML: a suite for each script, a case for each result.

    The counts stand at the head of a suite, so its cases wait in a temporary file until it is over. The report closes
    the file, unless it is told to `keep_open`.
    """

    def __init__(self, file: IO[str], *, keep_open: bool = False) -> None:
        self._file = file
        self._keep_open = keep_open
        self._done = False
        self._file.write('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n')
        self._cases: IO[str] = _spool()
        self._suite = ""
        self._summary = Summary()

    def add(self, result: StepResult) -> None:
        """Write one case."""
        if result.script != self._suite:
            self._end_suite()
            self._suite = result.script
        self._summary.add(result)
        self._cases.write(_case(result))

    def interrupt(self) -> None:
        """Note that the run was cut short, as a case in error."""
        self._suite = self._suite or _INTERRUPTED
        self._summary.errors += 1
        self._cases.write(
            f"<testcase name={_attribute(_INTERRUPTED)} classname={_attribute(self._suite)}>"
            f'<error message={_attribute(_CUT_SHORT)} type="interrupted"/></testcase>\n'
        )

    def close(self) -> None:
        """Write what is left and close the file. Closing twice is harmless."""
        if self._done:
            return
        self._done = True
        self._end_suite()
        self._file.write("</testsuites>\n")
        self._cases.close()
        if not self._keep_open:
            self._file.close()

    def _end_suite(self) -> None:
        totals = self._summary
        if totals.total:
            self._file.write(
                f'<testsuite name={_attribute(self._suite)} tests="{totals.total}" failures="{totals.failed}" '
                f'errors="{totals.errors}" skipped="{totals.skipped}" time="{totals.seconds:.6f}">\n'
            )
            self._cases.seek(0)
            while chunk := self._cases.read(65_536):
                self._file.write(chunk)
            self._file.write("</testsuite>\n")
        self._cases.close()
        self._cases = _spool()
        self._summary = Summary()


def _spool() -> IO[str]:
    return tempfile.SpooledTemporaryFile(max_size=1 << 20, mode="w+", encoding="utf-8")  # closed later


def _case(result: StepResult) -> str:
    head = (
        f"<testcase name={_attribute(f'{result.number:04} {result.label}')} classname={_attribute(result.script)} "
        f'file={_attribute(result.place.file)} line="{result.place.line}" time="{result.seconds:.6f}"'
    )
    detail = "\n".join(explain(result))
    why = _attribute(result.explanation)
    match result.status:
        case Status.PASSED:
            return f"{head}/>\n"
        case Status.SKIPPED:
            return f"{head}><skipped message={why}/></testcase>\n"
        case Status.FAILED:
            return f'{head}><failure message={why} type="difference">{_text(detail)}</failure></testcase>\n'
        case Status.ERROR:
            return f'{head}><error message={why} type="error">{_text(detail)}</error></testcase>\n'


class SkippedSteps:
    """Why steps of one script were skipped, the first step for each reason."""

    def __init__(self) -> None:
        self._first: dict[str, StepResult] = {}
        self._count: Counter[str] = Counter()

    def add(self, result: StepResult) -> None:
        """Take one result."""
        if result.status is Status.SKIPPED:
            self._first.setdefault(result.reason, result)
            self._count[result.reason] += 1

    def lines(self) -> Iterator[str]:
        """Yield a line for each reason."""
        for reason, first in self._first.items():
            more = self._count[reason] - 1
            others = f" and {more} more" if more else ""
            yield printable(f"SKIPPED {first.place}: {first.label}{others}: {reason}")


def explain(result: StepResult) -> list[str]:
    """Return lines for a person, fit for a terminal: where the step stands, what was expected, what came, decoded."""
    clause = f", {result.clause}" if result.clause else ""
    lines = [f"{result.place}: {result.label}{clause}"]
    if result.reason:
        lines.append(f"  {result.reason}")
    lines += [f"  {difference}" for difference in result.differences]
    event = result.exchange
    if event is not None:
        lines.append(f"  {describe_command(event.command)}" + (f" [{event.file}]" if event.file else ""))
        lines.append(f"  > {show_with_gaps(event.command, event.hidden_command)}")
        if event.response:
            lines.append(f"  < {show_with_gaps(event.response, event.hidden_response)}")
        lines += [f"    {'  ' * line.depth}{line.text}" for line in decode_exchange(event)]
    return [printable(line) for line in lines]


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)


def _text(text: str) -> str:
    return escape(_clean(text))


def _attribute(text: str) -> str:
    return quoteattr(_clean(text))
