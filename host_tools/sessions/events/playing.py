"""Playing and recording broadcasts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from host_tools.content.captures.pcap import CaptureReader, CaptureReport
    from host_tools.content.containers.index import RecordingIndex
    from host_tools.content.sinks.media_out import MediaOut
    from host_tools.terminal.decision import Decision
    from host_tools.terminal.departure import Departure
    from host_tools.terminal.replay import Segment
    from host_tools.terminal.statistics import PlayStatistics


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
class ReportWritten:
    """The page that shows how a programme played is in a file."""

    output: Path


@dataclass(frozen=True, slots=True)
class Tuned:
    """A service on the air is listened to: its name, number and of how many; what the terminal registers for."""

    service: str
    number: int
    of: int
    registers_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LiveProgressed:
    """A service is played as it comes. `statistics` are the live counters; `status` has what is held, lost and paid."""

    service: str
    statistics: PlayStatistics
    status: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class TuneEnded:
    """Nothing is listened to any more."""

    service: str
    statistics: PlayStatistics
    out: MediaOut
    status: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class MostStayShut:
    """More media packets stayed shut than opened; the sentence says why."""

    words: str


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
