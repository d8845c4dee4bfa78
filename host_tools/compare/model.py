"""What a comparison consists of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from host_tools.trace.events import TracedExchange

INTERRUPTED = "interrupted"
"""The trouble of a run that Ctrl-C cut short."""


class Kind(Enum):
    """In what way two cards differ."""

    SW = "sw"
    LENGTH = "length"
    TLV = "tlv"
    VALUE = "value"
    ORDER = "order"
    TIMING = "timing"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Observation:
    """One command and its whole answer on one side, however many APDUs the transport took (`wire`).

    `shown` is redacted and is what reports print. `command` and `data` are what really went over the link; they are
    compared and never shown. `sw` is None when no whole answer came, and `error` then says why.
    """

    shown: TracedExchange
    command: bytes = field(repr=False)
    data: bytes = field(repr=False)
    sw: int | None
    seconds: float
    wire: int = 1
    error: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """What one side did in one step: its name, the clause it cites, whether it passed there, and the commands."""

    name: str
    clause: str = ""
    outcome: str = ""
    observed: tuple[Observation, ...] = ()


@dataclass(frozen=True, slots=True)
class SideRun:
    """Everything on one side. `trouble` says in words why the run ended early, empty when it did not."""

    name: str
    atr: bytes
    protocol: str
    steps: Sequence[Step]
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs. `where` is a TLV path, bytes counted from 0 such as `4-7`, or empty for the whole.

    `a` and `b` say in words what each side has; secrets are left out. `allowed` is the reason why it may differ,
    empty when it may not.
    """

    kind: Kind
    where: str
    a: str
    b: str
    allowed: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """The same command on both sides; a side is None where only the other one sent it.

    `outcomes` is how the step ended on A and on B, empty where that is not known.
    """

    step: str
    clause: str
    a: Observation | None
    b: Observation | None
    differences: tuple[Difference, ...] = ()
    outcomes: tuple[str, str] = ("", "")

    @property
    def either(self) -> Observation:
        """The command as one side sent it, the first if both did."""
        found = self.a or self.b
        assert found is not None, "a pair has at least one side"
        return found

    @property
    def is_allowed(self) -> bool:
        """True when nothing differs that may not."""
        return all(difference.allowed for difference in self.differences)


@dataclass(frozen=True, slots=True)
class Spread:
    """Times of one command on one side, in seconds: fastest, quartiles, 95th percentile, slowest."""

    count: int
    least: float
    lower: float
    median: float
    upper: float
    p95: float
    most: float


@dataclass(frozen=True, slots=True)
class CommandTiming:
    """How long one command took on each side; None where a side never answered it."""

    command: str
    a: Spread | None
    b: Spread | None
    difference: Difference | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result: both sides, every pair in order, timing by command, and differences of the cards as a whole."""

    a: SideRun
    b: SideRun
    pairs: tuple[Pair, ...]
    timing: tuple[CommandTiming, ...]
    general: tuple[Difference, ...] = ()

    @property
    def differences(self) -> list[Difference]:
        """All differences, allowed or not."""
        timed = [row.difference for row in self.timing if row.difference is not None]
        return [*self.general, *(found for pair in self.pairs for found in pair.differences), *timed]

    @property
    def is_allowed(self) -> bool:
        """True when only allowed differences were seen, and both sides came to the end."""
        return not self.a.trouble and not self.b.trouble and all(found.allowed for found in self.differences)
