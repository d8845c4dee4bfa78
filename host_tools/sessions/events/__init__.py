"""What happens during a session, and the port through which it leaves.

Every event is frozen, and none shows a key: what is secret in it stays wrapped. A counter that still moves is handed
out live where a copy for each datagram would cost more than the work: read it during `emit`. The events stand here by
family; one that is new goes into its family and into `Event`.
"""

from __future__ import annotations

from typing import Protocol

from host_tools.sessions.events.cards import (
    CardFileExposed,
    CardKept,
    CardMade,
    FaultInjected,
    PcscdStarted,
)
from host_tools.sessions.events.laboratory import (
    CardAnswered,
    NotSent,
    PacketsLeftOut,
    ScriptDone,
    ScriptsDone,
    ScriptStepDone,
    SideDone,
    TapOpened,
)
from host_tools.sessions.events.network import (
    BroadcastEnded,
    BroadcastMade,
    BroadcastOnAir,
    BroadcastProgressed,
    DistributionServed,
    LtkmsWritten,
    NetworkServed,
    PagesServed,
    PermissionsServed,
    StepDone,
    TruthWritten,
)
from host_tools.sessions.events.playing import (
    BindingFailed,
    KeptAllTheSame,
    LiveProgressed,
    MostStayShut,
    NothingKept,
    Played,
    Progressed,
    Recorded,
    Replayed,
    ReportWritten,
    ServiceLeft,
    StkmDecided,
    Tuned,
    TuneEnded,
)
from host_tools.sessions.events.terminal import (
    ClientNews,
    PortalOpened,
    TerminalOnline,
)

__all__ = [
    "BindingFailed",
    "BroadcastEnded",
    "BroadcastMade",
    "BroadcastOnAir",
    "BroadcastProgressed",
    "CardAnswered",
    "CardFileExposed",
    "CardKept",
    "CardMade",
    "ClientNews",
    "DistributionServed",
    "Event",
    "Events",
    "FaultInjected",
    "KeptAllTheSame",
    "LiveProgressed",
    "LtkmsWritten",
    "MostStayShut",
    "NetworkServed",
    "NoListener",
    "NotSent",
    "NothingKept",
    "PacketsLeftOut",
    "PagesServed",
    "PcscdStarted",
    "PermissionsServed",
    "Played",
    "PortalOpened",
    "Progressed",
    "Recorded",
    "Replayed",
    "ReportWritten",
    "ScriptDone",
    "ScriptStepDone",
    "ScriptsDone",
    "ServiceLeft",
    "SideDone",
    "StepDone",
    "StkmDecided",
    "TapOpened",
    "TerminalOnline",
    "TruthWritten",
    "TuneEnded",
    "Tuned",
]

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
    | ReportWritten
    | LiveProgressed
    | MostStayShut
    | Tuned
    | TuneEnded
    | NothingKept
    | KeptAllTheSame
    | Recorded
    | BroadcastProgressed
    | BroadcastMade
    | LtkmsWritten
    | TruthWritten
    | PermissionsServed
    | BroadcastEnded
    | BroadcastOnAir
    | DistributionServed
    | NetworkServed
    | PagesServed
    | PortalOpened
    | StepDone
    | TerminalOnline
    | ClientNews
    | ScriptStepDone
    | ScriptDone
    | ScriptsDone
    | CardAnswered
    | NotSent
    | SideDone
    | PacketsLeftOut
    | TapOpened
    | PcscdStarted
    | FaultInjected
)


class Events(Protocol):
    """Where events go: to a terminal, into JSON, onto a page, into the counters of a load test."""

    def emit(self, event: Event, /) -> None:
        """Take one event. Called in the thread of the session, in the order in which things happen."""


class NoListener:
    """Takes events for nobody."""

    def emit(self, event: Event, /) -> None:
        """Take one event."""
