"""A script, read and checked: everything is frozen, and every step knows its file and line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from card.tables.problems import Place, Problem
from host_tools.script.conditions import Condition
from host_tools.script.functions.call import Call
from host_tools.script.pattern import OK, Pattern, SwPattern
from host_tools.script.template import Template
from host_tools.script.values import FromEnvironment, RandomBytes

VariableSource = Template | FromEnvironment | RandomBytes
PRESENT, ABSENT = "present", "absent"
BUILT_IN = ("usim_aid", "csim_aid", "isim_aid", "iccid")
"""Variables that the runner sets from what the card tells."""


@dataclass(frozen=True, slots=True)
class Loop:
    """A step is done for every value, which goes into `variable` (empty: only repeated, `values` give the number)."""

    variable: str
    values: tuple[Template, ...] | range
    size: int = 1  # bytes of a number


@dataclass(frozen=True, slots=True)
class Until:
    """A step is repeated until the status word fits, at most `at_most` times."""

    sw: SwPattern
    at_most: int


@dataclass(frozen=True, slots=True)
class StepHead:
    """What every step has: name (empty: the command in words), place, source clause, conditions, loops.

    `places` says where its keys stand, those of a table in it as `key.inner`.
    """

    name: str
    place: Place
    clause: str = ""
    when: tuple[Condition, ...] = ()
    destructive: bool = False
    loop: Loop | None = None
    stop_on_failure: bool = False
    places: Mapping[str, Place] = field(default_factory=dict, compare=False, repr=False)

    def place_of(self, key: str) -> Place:
        """Return where a key stands, or else the step."""
        return self.places.get(key, self.place)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What an answer must be. None: anything goes. `tlv` gives a pattern, or PRESENT or ABSENT, by path."""

    sw: SwPattern = OK
    data: Pattern | None = None
    not_data: Pattern | None = None
    length: range | None = None
    tlv: Mapping[str, Pattern | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Capture:
    """Keeps a part of an answer: `data`, `sw`, or the TLV object at `path`, cut to `start` and `end`."""

    variable: str
    source: str
    path: str = ""
    start: int | None = None
    end: int | None = None
    secret: bool = False


@dataclass(frozen=True, slots=True)
class ApduStep:
    """Send a command and judge the answer. `raw`: as written, nothing is fetched or joined. `timeout` in seconds."""

    head: StepHead
    command: Template
    expect: Expectation = Expectation()
    captures: tuple[Capture, ...] = ()
    timeout: float | None = None
    raw: bool = False
    until: Until | None = None


@dataclass(frozen=True, slots=True)
class ResetStep:
    """Reset the card; the ATR may have to fit a pattern."""

    head: StepHead
    atr: Pattern | None = None


@dataclass(frozen=True, slots=True)
class ComputeStep:
    """Give variables values, one after the other."""

    head: StepHead
    assignments: tuple[tuple[str, Call | Template], ...]


@dataclass(frozen=True, slots=True)
class GroupStep:
    """Steps that share conditions and loops; what an include brings is a group."""

    head: StepHead
    steps: tuple[Step, ...]


Step = ApduStep | ResetStep | ComputeStep | GroupStep


@dataclass(frozen=True, slots=True)
class Script:
    """A whole script. `reset`: begin with a reset card. `timeout` is the default of its steps, in seconds.

    `places` says where its variables stand. `remarks` are what its reader noticed and did not understand.
    """

    name: str
    place: Place
    title: str
    steps: tuple[Step, ...]
    variables: Mapping[str, VariableSource] = field(default_factory=dict)
    requires: tuple[Condition, ...] = ()
    reset: bool = True
    timeout: float | None = None
    stop_on_failure: bool = False
    places: Mapping[str, Place] = field(default_factory=dict, compare=False, repr=False)
    remarks: tuple[Problem, ...] = ()
