"""What happens during a session, and the port through which it leaves.

Every event is frozen, and none shows a key: what is secret in it stays wrapped. A counter that still moves is handed
out live where a copy for each datagram would cost more than the work: read it during `emit`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from host_tools.compare.model import SideRun
    from host_tools.content.captures.pcap import CaptureReader, CaptureReport
    from host_tools.content.containers.index import RecordingIndex
    from host_tools.content.sinks.media_out import MediaOut
    from host_tools.headend.scenario.handover import Handover
    from host_tools.headend.scenario.model import Scenario
    from host_tools.headend.scenario.truth import Truth
    from host_tools.script.model import Script
    from host_tools.script.results import StepResult, Summary
    from host_tools.terminal.decision import Decision
    from host_tools.terminal.departure import Departure
    from host_tools.terminal.replay import Segment
    from host_tools.terminal.statistics import PlayStatistics
    from host_tools.wire.network_file import NetworkFile

# --- cards


@dataclass(frozen=True, slots=True)
class CardMade:
    """A card file was made from a profile."""

    card_file: Path
    profile: Path


@dataclass(frozen=True, slots=True)
class CardKept:
    """A profile was named, and its card file of an earlier time was opened."""

    card_file: Path
    profile: Path


@dataclass(frozen=True, slots=True)
class CardFileExposed:
    """Others may read or write (`may`) a card file, which holds keys; `mode` is that of the file."""

    card_file: Path
    mode: int
    may: str


# --- playing


@dataclass(frozen=True, slots=True)
class Progressed:
    """A datagram was played. `statistics` are the live counters, and `capture` knows its `share` that was read."""

    statistics: PlayStatistics
    capture: CaptureReader


@dataclass(frozen=True, slots=True)
class StkmDecided:
    """What the card decided about an STKM, and why."""

    decision: Decision


@dataclass(frozen=True, slots=True)
class ServiceLeft:
    """The card was told that a service is left."""

    departure: Departure


@dataclass(frozen=True, slots=True)
class BindingFailed:
    """A TEK that is bound to the terminal could not be opened; the sentence says why."""

    words: str


@dataclass(frozen=True, slots=True)
class Played:
    """A capture was played, to its end or as far as card, disk and patience let it."""

    capture: Path
    statistics: PlayStatistics
    report: CaptureReport
    out: MediaOut


@dataclass(frozen=True, slots=True)
class Replayed:
    """The pieces of a recording that were played, each with its counters."""

    recording: Path
    pieces: Sequence[tuple[Segment, PlayStatistics]]
    out: MediaOut


@dataclass(frozen=True, slots=True)
class MostStayShut:
    """More media packets stayed shut than opened; the sentence says why."""

    words: str


# --- recording


@dataclass(frozen=True, slots=True)
class NothingKept:
    """The card keeps nothing for a key that a recording needs."""

    msk_id: bytes
    why: str


@dataclass(frozen=True, slots=True)
class KeptAllTheSame:
    """The card refused while a broadcast was recorded, and the recording is kept."""

    why: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recording is complete."""

    output: Path
    index: RecordingIndex


# --- the network


@dataclass(frozen=True, slots=True)
class BroadcastProgressed:
    """So much of a broadcast was made, of so much (milliseconds)."""

    reached: int
    duration: int


@dataclass(frozen=True, slots=True)
class BroadcastMade:
    """The capture of a scenario is written."""

    output: Path
    scenario: Scenario
    truth: Truth


@dataclass(frozen=True, slots=True)
class LtkmsWritten:
    """The LTKMs for one card are in a file."""

    output: Path
    handover: Handover


@dataclass(frozen=True, slots=True)
class TruthWritten:
    """Every TEK and media hash of a broadcast is in a file."""

    output: Path
    truth: Truth


@dataclass(frozen=True, slots=True)
class NetworkServed:
    """BSF and BSM listen where `network` says; `network_file` says it to terminals, if it was asked for."""

    network: NetworkFile
    network_file: Path | None


@dataclass(frozen=True, slots=True)
class PermissionsServed:
    """The permissions issuer listens and gives out so many binding keys to one terminal."""

    keys: int
    terminal: str
    host: str
    port: int
    folder: Path


# --- the demo


@dataclass(frozen=True, slots=True)
class StepDone:
    """A step of the demo is finished; the line names no key."""

    words: str


# --- scripts and comparison


@dataclass(frozen=True, slots=True)
class ScriptStepDone:
    """A step of a script has its result; `counts` are the live totals of the script."""

    script: Script
    result: StepResult
    counts: Summary


@dataclass(frozen=True, slots=True)
class ScriptDone:
    """A script is at its end."""

    script: Script
    counts: Summary


@dataclass(frozen=True, slots=True)
class ScriptsDone:
    """All scripts that were run, and the totals."""

    scripts: int
    counts: Summary


@dataclass(frozen=True, slots=True)
class CardAnswered:
    """What a card said in a recorded session, in words and without secrets."""

    words: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """A command was kept from the card; the words say why."""

    why: str


@dataclass(frozen=True, slots=True)
class SideDone:
    """One of two cards has done the steps of a comparison; `name` is its reader's."""

    name: str
    run: SideRun


# --- traces


@dataclass(frozen=True, slots=True)
class PacketsLeftOut:
    """A capture holds packets that are no part of the trace: how many for each reason."""

    capture: Path
    reasons: Counter[str]


# --- a card in a reader


@dataclass(frozen=True, slots=True)
class PcscdStarted:
    """A pcscd of our own runs; clients find it when the environment `variable` has the path of its `socket`."""

    variable: str
    socket: Path


@dataclass(frozen=True, slots=True)
class FaultInjected:
    """Something was made to go wrong, as the plan says."""

    words: str


Event = (
    CardMade
    | CardKept
    | CardFileExposed
    | Progressed
    | StkmDecided
    | ServiceLeft
    | BindingFailed
    | Played
    | Replayed
    | MostStayShut
    | NothingKept
    | KeptAllTheSame
    | Recorded
    | BroadcastProgressed
    | BroadcastMade
    | LtkmsWritten
    | TruthWritten
    | PermissionsServed
    | NetworkServed
    | StepDone
    | ScriptStepDone
    | ScriptDone
    | ScriptsDone
    | CardAnswered
    | NotSent
    | SideDone
    | PacketsLeftOut
    | PcscdStarted
    | FaultInjected
)


class Events(Protocol):
    """Where events go: to a terminal, into JSON, onto a page, into the counters of a load test."""

    def emit(self, event: Event, /) -> None:
        """Take one event. Called in the thread of the session, in the order in which things happen."""


class Unheard:
    """Takes events for nobody."""

    def emit(self, event: Event, /) -> None:
        """Take one event."""
