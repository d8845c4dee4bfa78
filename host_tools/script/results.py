"""What a run yields: one result for each step, one summary for each script."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from card.tables.problems import Place
from host_tools.trace.events import TracedExchange


class Status(StrEnum):
    """How a step ended."""

    PASSED = "passed"
    FAILED = "failed"  # the card answered otherwise than expected
    ERROR = "error"  # no answer, or the step could not be carried out
    SKIPPED = "skipped"


class Aspect(StrEnum):
    """Which part of an answer a difference is about."""

    SW = "status word"
    LENGTH = "length"
    DATA = "data"
    TLV = "TLV"
    ATR = "ATR"


@dataclass(frozen=True, slots=True)
class Difference:
    """One expectation that was not met: what was wanted and what came, in words without secrets."""

    aspect: Aspect
    wanted: str
    got: str
    path: str = ""

    def __str__(self) -> str:
        where = f" {self.path}" if self.path else ""
        return f"{self.aspect}{where}: {self.wanted} wanted, {self.got} came"


@dataclass(frozen=True, slots=True)
class StepResult:
    """The outcome of one step, once for each round of its loops.

    `reason` says why it was skipped or could not be done. `exchange` is what a report may show: redacted. `response`
    are the bytes as they came (data and status word), for comparing cards; they may hold keys and must not be shown.
    `lost`: the reader did not carry the command, or nothing came back.
    """

    script: str
    number: int
    name: str
    place: Place
    clause: str
    status: Status
    differences: tuple[Difference, ...] = ()
    reason: str = ""
    exchange: TracedExchange | None = None
    response: bytes = field(default=b"", repr=False)
    seconds: float = 0.0
    round: str = ""
    lost: bool = False

    @property
    def label(self) -> str:
        """Name and round, as in `read EF [fid=6F07]`."""
        return f"{self.name} [{self.round}]" if self.round else self.name

    @property
    def explanation(self) -> str:
        """Why the step did not pass, the first reason first; empty when it did."""
        return self.reason or "; ".join(map(str, self.differences))


@dataclass(slots=True)
class Summary:
    """Counts of one script or several."""

    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0
    seconds: float = 0.0

    def add(self, result: StepResult) -> None:
        """Count one result."""
        match result.status:
            case Status.PASSED:
                self.passed += 1
            case Status.FAILED:
                self.failed += 1
            case Status.ERROR:
                self.errors += 1
            case Status.SKIPPED:
                self.skipped += 1
        self.seconds += result.seconds

    @property
    def total(self) -> int:
        """Number of results."""
        return self.passed + self.failed + self.errors + self.skipped

    @property
    def good(self) -> bool:
        """True when nothing failed and nothing went wrong."""
        return not self.failed and not self.errors

    def __str__(self) -> str:
        parts = [f"{self.passed} passed"]
        for count, word in ((self.failed, "failed"), (self.errors, "in error"), (self.skipped, "skipped")):
            if count:
                parts.append(f"{count} {word}")
        return ", ".join(parts)
