"""Every event there is, as one type. One that is new goes into its family, here, and into the facade."""

from __future__ import annotations

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
    TransportKeyMade,
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
    | TransportKeyMade
    | PermissionsServed
    | BroadcastEnded
    | BroadcastOnAir
    | DistributionServed
    | NetworkServed
    | PagesServed
    | StepDone
    | TerminalOnline
    | ClientNews
    | PortalOpened
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
